package access

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect/sql"

	"stockbridge/ent"
	"stockbridge/ent/intercept"
	"stockbridge/internal/fault"
)

// Scope narrows every query that is made through a client, at any depth, to what the viewer in its context sees
// (spec 5.2), and returns the client. Queries fail with UNAUTHENTICATED where nobody is asking, with FORBIDDEN for
// tokens where no ADMIN is, and for any type of row that this does not know.
func Scope(client *ent.Client) *ent.Client {
	client.Intercept(intercept.TraverseFunc(narrow))
	return client
}

// System returns a context in which the program itself is asking, and sees all. It is for work that no request asked for.
func System(ctx context.Context) context.Context {
	return With(ctx, &Viewer{Name: "system", Role: Admin})
}

func narrow(ctx context.Context, q intercept.Query) error {
	seen, err := Seen(ctx, q.Type())
	if err == nil && seen != nil {
		q.WhereP(func(s *sql.Selector) { s.Where(seen(s)) })
	}
	return err
}

// Seen is the condition that rows of a type meet which the viewer in ctx sees, for statements that are made without ent. Its
// argument names columns of the type's table. nil is that all are seen. It fails as queries do that Scope narrows.
func Seen(ctx context.Context, typ string) (func(table interface{ C(column string) string }) *sql.Predicate, error) {
	v, err := From(ctx)
	if err != nil {
		return nil, err
	}
	column := ""
	switch typ {
	case ent.TypeActivity, ent.TypeBundleComponent, ent.TypeCatalogImport, ent.TypeChannelLevel, ent.TypeConnection, ent.TypeFacility, ent.TypeFeedHorizon,
		ent.TypeHeldLevel, ent.TypeHeldReport, ent.TypeImportProblem, ent.TypeListing, ent.TypeLocationLink,
		ent.TypePartitionShare, ent.TypePartitionStrategy, ent.TypePlanMark, ent.TypeProduct, ent.TypeRunProblem, ent.TypeSchedule, ent.TypeStore,
		ent.TypeStoreLimit, ent.TypeStoreLocation, ent.TypeSyncRun, ent.TypeWarehouse, ent.TypeWarehouseLevel:
		column = "merchant_id"
	case ent.TypeMerchant:
		column = "id"
	case ent.TypeToken:
		if v.Role != Admin {
			return nil, fault.New(fault.Forbidden, "only an ADMIN sees tokens")
		}
	case ent.TypeIdempotencyKey: // holds answers to whoever asked
		return nil, fault.New(fault.Forbidden, "nobody sees idempotency keys")
	case ent.TypeReplica, ent.TypeLease:
		return nil, fault.New(fault.Forbidden, "nobody sees replicas and leases")
	default:
		return nil, fmt.Errorf("nobody has said who may see rows of type %s", typ)
	}
	switch v.Role {
	case Admin:
		return nil, nil
	case Operator, Partner:
		ids := make([]any, len(v.MerchantIDs))
		for i, id := range v.MerchantIDs {
			ids[i] = id
		}
		return func(table interface{ C(string) string }) *sql.Predicate { return sql.In(table.C(column), ids...) }, nil // of no ids: false
	default:
		return nil, fault.New(fault.Forbidden, "the role %q may see nothing", string(v.Role))
	}
}
