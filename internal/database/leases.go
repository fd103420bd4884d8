package database

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// LeaseKind says what a lease is for, and so what its key is an id of.
type LeaseKind int32

// Kinds of leases. A holder of one may ask for one further down, never the other way round.
const (
	WarehouseLease LeaseKind = 0x53420101 + iota // pulling from or recording a report of a warehouse
	StoreLease                                   // pushing to a store
	MerchantLease                                // meeting a merchant's plan marks
	KeeperLease                                  // deleting what is too old; key 0
)

// lockReplica is held by every session under its own id.
const lockReplica lockClass = 0x53420100

// Lease is a right to work on something alone, for as long as the session lives.
type Lease struct {
	session *Session
	kind    LeaseKind
	key     int64
	id      int64 // of its row
	epoch   int64
}

// TryLease takes a lease if nobody holds it; ok tells whether it did. Locks of a session are re-entrant: see to it that two in
// this process do not take one at the same time.
func (s *Session) TryLease(kind LeaseKind, key int64) (l *Lease, ok bool, err error) {
	l = &Lease{session: s, kind: kind, key: key}
	err = s.do(func(ctx context.Context, conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", int32(kind), int32(key)).Scan(&ok); err != nil || !ok { //nolint:gosec // a clash only waits
			return err
		}
		// From here on the working transactions of the holder before fail. Those that are under way are waited for, and keep the
		// lease from being had until they ended. This is on the session itself: had it broken, it would change nothing.
		err := conn.QueryRow(ctx, `INSERT INTO leases (kind, key, epoch, replica_id) VALUES ($1, $2, 1, $3)
			ON CONFLICT (kind, key) DO UPDATE SET epoch = leases.epoch + 1, replica_id = excluded.replica_id RETURNING id, epoch`, int32(kind), key, s.id).Scan(&l.id, &l.epoch)
		if err == nil {
			return nil
		}
		ok = false
		if conn.IsClosed() {
			return err
		}
		if uerr := unlock(ctx, conn, int32(kind), key); uerr != nil || isLockTimeout(err) {
			return uerr
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("take a lease: %w", err)
	}
	return l, ok, nil
}

// Release gives a lease back. That of a session that broke is free already.
func (l *Lease) Release() error {
	err := l.session.do(func(ctx context.Context, conn *pgx.Conn) error { return unlock(ctx, conn, int32(l.kind), l.key) })
	if err != nil && l.session.lost.Err() == nil {
		return fmt.Errorf("release a lease: %w", err)
	}
	return nil
}

// fence is what transactions under a context have to check before they write.
type fence struct{ replicas, leases, epochs []int64 }

type fenceKey struct{}

func fenceOf(ctx context.Context) fence {
	f, _ := ctx.Value(fenceKey{}).(fence)
	return f
}

// replicaOf is the replica that works under a context, absent where there is but one process.
func replicaOf(ctx context.Context) Int {
	if r := fenceOf(ctx).replicas; len(r) > 0 {
		return IntOf(r[len(r)-1])
	}
	return Int{}
}

// Guard returns a context to work under as this replica, and with these leases of it. It ends when the session does, with
// ErrLost for a cause; and no transaction under it, or under one made of it in whatever way, commits once another
// replica has taken over. Cancel it when the work is done.
func (s *Session) Guard(ctx context.Context, leases ...*Lease) (context.Context, context.CancelFunc) {
	f := fenceOf(ctx)
	f.replicas, f.leases, f.epochs = slices.Clone(f.replicas), slices.Clone(f.leases), slices.Clone(f.epochs)
	if !slices.Contains(f.replicas, s.id) {
		f.replicas = append(f.replicas, s.id)
	}
	for _, l := range leases {
		f.leases, f.epochs = append(f.leases, l.id), append(f.epochs, l.epoch)
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, fenceKey{}, f))
	stop := context.AfterFunc(s.lost, func() { cancel(ErrLost) })
	return ctx, func() { stop(); cancel(nil) }
}

// check fails with ErrLost where the context's replica or one of its leases is another's by now, and else keeps it so until
// the transaction ends: who takes over waits for that.
func (f fence) check(ctx context.Context, t *tx) error {
	if len(f.replicas) == 0 {
		return nil
	}
	var good int
	err := t.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (SELECT 1 FROM replicas WHERE id = ANY($1::bigint[]) FOR SHARE) r)
		+ (SELECT count(*) FROM (SELECT 1 FROM leases l JOIN unnest($2::bigint[], $3::bigint[]) w(id, epoch) ON l.id = w.id AND l.epoch = w.epoch FOR SHARE OF l) l)`,
		f.replicas, f.leases, f.epochs).Scan(&good)
	if err != nil {
		return fmt.Errorf("check the lease: %w", err)
	}
	if good < len(f.replicas)+len(f.leases) {
		return ErrLost
	}
	return nil
}
