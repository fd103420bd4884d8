//go:build !race

package cron

// many is how many connections stand for many.
const many = 10_000
