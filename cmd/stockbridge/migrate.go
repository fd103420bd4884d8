package main

import (
	"errors"

	"stockbridge/internal/database"
)

type migrateCommand struct{}

// Run applies the migrations the database lacks.
func (c *migrateCommand) Run(i *invocation) (err error) {
	db, err := database.Open(i, i.cli.Database, database.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	applied, err := db.Migrate(i)
	if err != nil {
		return err
	}
	switch applied {
	case 0:
		i.say("the database is up to date")
	case 1:
		i.say("applied 1 migration")
	default:
		i.say("applied %d migrations", applied)
	}
	return nil
}
