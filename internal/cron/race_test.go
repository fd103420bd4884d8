//go:build race

package cron

// many is how many connections stand for many: the race detector makes each cost thirty times as much.
const many = 1000
