package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrLost is why work ends whose session broke: its leases are free, and somebody else may hold them by now. What such
// work still tries to write is refused with it too.
var ErrLost = errors.New("this process lost its session in the database, and with it the right to this work")

// Session is one replica's place among those that share a PostgreSQL database: a connection of its own whose advisory
// locks are its leases. PostgreSQL frees them when the connection ends, however the process did: a lock was free 4 ms after
// its holder was killed. A session that broke does not come back; open another. It is safe for concurrent use.
type Session struct {
	db   *DB
	id   int64 // of the row in replicas, never used twice
	lost context.Context
	lose context.CancelCauseFunc

	mu   sync.Mutex // one statement at a time
	conn *pgx.Conn
}

const (
	// patience is how long a session waits for an answer before it takes itself for lost, and how long one is tried to be had. Nobody
	// else takes it for hung before hungAfter, so its own work has stopped by then.
	patience  = 5 * time.Second
	hungAfter = 30 * time.Second
	// leaseWait is how long a lease waits for the last transactions of a holder that lost it.
	leaseWait = 200 * time.Millisecond
)

// Shared tells whether other processes may work on the database too: with PostgreSQL.
func (db *DB) Shared() bool { return db.pool != nil }

// OpenSession makes this process a replica. version is the program's. PostgreSQL only.
func (db *DB) OpenSession(ctx context.Context, version string) (s *Session, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience) // a network that swallows all would keep it from trying again
	defer cancel()
	cfg := db.pool.Config().ConnConfig
	cfg.RuntimeParams["application_name"] = "stockbridge session"
	cfg.RuntimeParams["lock_timeout"] = fmt.Sprint(leaseWait.Milliseconds())
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	s = &Session{db: db, conn: conn}
	s.lost, s.lose = context.WithCancelCause(context.Background())
	// The lock comes before the row: a row without a lock is that of a dead one.
	err = conn.QueryRow(ctx, "SELECT nextval(pg_get_serial_sequence('replicas', 'id'))").Scan(&s.id)
	if err == nil {
		_, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", int32(lockReplica), int32(s.id)) //nolint:gosec // a clash only waits
	}
	if err == nil {
		_, err = conn.Exec(ctx, "INSERT INTO replicas (id, version, started_at) VALUES ($1, $2, $3)", s.id, version, db.Now())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a session: %w", err), conn.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// ID names the session among all that ever were.
func (s *Session) ID() int64 { return s.id }

// Lost is closed once the session broke or was closed.
func (s *Session) Lost() <-chan struct{} { return s.lost.Done() }

// do runs statements, one caller at a time. It waits for no caller's context: a statement that is given up would cost the
// connection, and with it all leases.
func (s *Session) do(f func(context.Context, *pgx.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost.Err() != nil {
		return context.Cause(s.lost)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := f(ctx, s.conn)
	if err != nil && s.conn.IsClosed() {
		s.lose(ErrLost)
		return errors.Join(ErrLost, err)
	}
	return err
}

// Close gives all leases back, and takes the replica's row away. What it was working on has to have ended.
func (s *Session) Close() error {
	_, err := s.db.Bury(context.Background(), s.id, "the server stopped")
	s.lose(ErrLost)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.conn.IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if cerr := s.conn.Close(ctx); cerr != nil {
			err = errors.Join(err, fmt.Errorf("close the session: %w", cerr))
		}
	}
	return err
}

// Beat shows the others that this replica lives, and answers the replicas whose sessions are gone: bury them. Call it every
// second or so. A session that does not beat for 30 s, for its process hangs or cannot be reached, is ended by the
// others.
func (s *Session) Beat() (dead []int64, err error) {
	err = s.do(func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT id FROM replicas WHERE id <> $1 ORDER BY id", s.id)
		if err != nil {
			return err
		}
		others, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		for _, id := range others {
			var free bool
			if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", int32(lockReplica), int32(id)).Scan(&free); err != nil { //nolint:gosec // a clash only waits
				return err
			}
			if free {
				dead = append(dead, id)
				err = unlock(ctx, conn, int32(lockReplica), id)
			} else {
				_, err = conn.Exec(ctx, endHung, int32(lockReplica), int32(id), s.db.hung.Seconds()) //nolint:gosec // as above
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for other replicas: %w", err)
	}
	return dead, nil
}

// endHung ends a session that holds a replica's lock and has asked for nothing for so long.
const endHung = `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
	WHERE l.locktype = 'advisory' AND l.database = a.datid AND a.datname = current_database() AND l.classid = $1 AND l.objid = $2 AND l.objsubid = 2 AND l.granted
	AND a.usename = current_user AND a.state_change < clock_timestamp() - make_interval(secs => $3)`

func unlock(ctx context.Context, conn *pgx.Conn, class int32, key int64) error {
	_, err := conn.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", class, int32(key)) //nolint:gosec // as it was locked
	return err
}

// isLockTimeout tells a statement that waited too long for a row from one that failed.
func isLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}
