-- +goose Up
PRAGMA foreign_keys = off;
ALTER TABLE `plan_marks` ADD COLUMN `replica_id` integer NULL;
CREATE INDEX `schedule_next_run_at` ON `schedules` (`next_run_at`);
ALTER TABLE `sync_runs` ADD COLUMN `replica_id` integer NULL;
ALTER TABLE `catalog_imports` ADD COLUMN `replica_id` integer NULL;
CREATE TABLE `leases` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `kind` integer NOT NULL, `key` integer NOT NULL, `epoch` integer NOT NULL, `replica_id` integer NOT NULL);
CREATE UNIQUE INDEX `lease_kind_key` ON `leases` (`kind`, `key`);
CREATE TABLE `replicas` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `version` text NOT NULL, `started_at` datetime NOT NULL);
PRAGMA foreign_keys = on;
