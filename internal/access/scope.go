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
	v, err := From(ctx)
	if err != nil {
		return err
	}
	column := ""
	switch typ := q.Type(); typ {
	case ent.TypeActivity, ent.TypeBundleComponent, ent.TypeCatalogImport, ent.TypeChannelLevel, ent.TypeConnection, ent.TypeFacility, ent.TypeFeedHorizon,
		ent.TypeHeldLevel, ent.TypeHeldReport, ent.TypeImportProblem, ent.TypeListing, ent.TypeLocationLink,
		ent.TypePartitionShare, ent.TypePartitionStrategy, ent.TypePlanMark, ent.TypeProduct, ent.TypeRunProblem, ent.TypeSchedule, ent.TypeStore,
		ent.TypeStoreLimit, ent.TypeStoreLocation, ent.TypeSyncRun, ent.TypeWarehouse, ent.TypeWarehouseLevel:
		column = "merchant_id"
	case ent.TypeMerchant:
		column = "id"
	case ent.TypeToken:
		if v.Role != Admin {
			return fault.New(fault.Forbidden, "only an ADMIN sees tokens")
		}
	case ent.TypeIdempotencyKey: // holds answers to whoever asked
		return fault.New(fault.Forbidden, "nobody sees idempotency keys")
	case ent.TypeReplica, ent.TypeLease:
		return fault.New(fault.Forbidden, "nobody sees replicas and leases")
	default:
		return fmt.Errorf("nobody has said who may see rows of type %s", typ)
	}
	switch v.Role {
	case Admin:
	case Operator, Partner:
		ids := make([]any, len(v.MerchantIDs))
		for i, id := range v.MerchantIDs {
			ids[i] = id
		}
		q.WhereP(func(s *sql.Selector) { s.Where(sql.In(s.C(column), ids...)) }) // of no ids: false
	default:
		return fault.New(fault.Forbidden, "the role %q may see nothing", string(v.Role))
	}
	return nil
}
