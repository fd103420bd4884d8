package model

// The list of catalog problems, and what stands on its pages.
type (
	CatalogProblemConnection = Page[CatalogProblem]
	CatalogProblemEdge       = Edge[CatalogProblem]
)
