-- +goose Up
PRAGMA foreign_keys = off;
ALTER TABLE `tokens` ADD COLUMN `documents` blob NULL;
PRAGMA foreign_keys = on;
