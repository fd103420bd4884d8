// Package ent is the generated access to the tables of ent/schema.
package ent

//go:generate go run -mod=mod entc.go
