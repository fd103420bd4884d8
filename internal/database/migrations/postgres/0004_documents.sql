-- +goose Up
ALTER TABLE "tokens" ADD COLUMN "documents" bytea NULL;
