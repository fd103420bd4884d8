-- +goose Up
-- Rows that change often keep room on their page, so that an update touches no index (HOT).
ALTER TABLE "warehouse_levels" SET (fillfactor = 85);
ALTER TABLE "channel_levels" SET (fillfactor = 50);
