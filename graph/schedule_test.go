package graph_test

import (
	"slices"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
)

const setSchedule = `mutation S($input: SetScheduleInput!) { setSchedule(input: $input) {
	connection { timeZone schedules { mode rules { type every minute at unit startHour endHour weekdays cron } } nextRuns(first: 3) { mode at } }
	warnings { code message } userErrors { code field message } } }`

// spec 3.7, 6: every type of rule can be set, and what is wrong with one is told with its field.
func TestSetSchedule(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		by := operator(w.alpha.merchant)
		set := func(mode, zone string, rules ...vars) vars {
			if rules == nil {
				rules = []vars{}
			}
			in := vars{"connectionId": id("Connection", w.alpha.connection), "mode": mode, "rules": rules}
			if zone != "" {
				in["timeZone"] = zone
			}
			return vars{"input": in}
		}
		for _, tt := range []struct {
			name, mode string
			rule       vars
			warned     bool
		}{
			{"every N minutes", "SMART", vars{"type": "MINUTELY", "every": 15}, false},
			{"every N hours at a minute", "SMART", vars{"type": "HOURLY", "every": 6, "minute": 10}, false},
			{"daily", "FULL", vars{"type": "DAILY", "at": "03:30"}, false},
			{"in a block of hours", "SMART", vars{"type": "FLEXIBLE", "every": 30, "unit": "MINUTES", "startHour": 22, "endHour": 3, "weekdays": []string{"MONDAY", "SUNDAY"}}, false},
			{"all day", "SMART", vars{"type": "FLEXIBLE", "every": 2, "unit": "HOURS"}, false},
			{"by cron", "SMART", vars{"type": "CRON", "cron": "*/20 8-18 * * 1-5"}, false},
			{"full by cron, daily", "FULL", vars{"type": "CRON", "cron": "0 4 * * *"}, false},
			{"full every 1440 minutes", "FULL", vars{"type": "MINUTELY", "every": 1440}, false},
			{"full twice a day", "FULL", vars{"type": "HOURLY", "every": 12, "minute": 0}, true},
			{"full twice on Mondays", "FULL", vars{"type": "CRON", "cron": "0 4,5 * * 1"}, true},
		} {
			got := w.data(by, "setSchedule", setSchedule, set(tt.mode, "America/New_York", tt.rule))
			if at(got, "connection") == nil || brief(at(got, "userErrors")) != "[]" {
				t.Fatalf("%s: %s", tt.name, brief(got))
			}
			if warned := len(at(got, "warnings").([]any)) > 0; warned != tt.warned || warned && (at(got, "warnings.0.code") != "FULL_MORE_THAN_DAILY" || at(got, "warnings.0.message") == "") {
				t.Errorf("%s: warnings %s", tt.name, brief(at(got, "warnings")))
			}
			for _, s := range at(got, "connection.schedules").([]any) {
				if at(s, "mode") != tt.mode {
					continue
				}
				for field, want := range tt.rule {
					if got := brief(at(s, "rules.0."+field)); got != brief(want) {
						t.Errorf("%s: %s is %s, want %s", tt.name, field, got, brief(want))
					}
				}
			}
		}
		if got := w.data(by, "setSchedule.warnings", setSchedule, set("FULL", "", vars{"type": "DAILY", "at": "01:00"}, vars{"type": "DAILY", "at": "13:00"})); brief(got) == "[]" {
			t.Error("two rules that are daily each are more than daily together")
		}

		for want, in := range map[string]vars{
			"UNKNOWN_TIME_ZONE input,timeZone":                                   set("SMART", "Mars/Base"),
			"BLANK input,timeZone":                                               set("SMART", " "),
			"OUT_OF_RANGE input,rules,0,every":                                   set("SMART", "", vars{"type": "MINUTELY", "every": 0}),
			"OUT_OF_RANGE input,rules,0,minute":                                  set("SMART", "", vars{"type": "HOURLY", "every": 1, "minute": 60}),
			"INVALID input,rules,0,at":                                           set("SMART", "", vars{"type": "DAILY", "at": "24:00"}),
			"INVALID_CRON input,rules,0,cron":                                    set("SMART", "", vars{"type": "CRON", "cron": "0 0 31 2 *"}),
			"TOO_FREQUENT input,rules,0,every":                                   set("SMART", "", vars{"type": "MINUTELY", "every": 4}),
			"TOO_FREQUENT input,rules,0,cron":                                    set("SMART", "", vars{"type": "CRON", "cron": "* * * * *"}),
			"TOO_FREQUENT input,rules,1":                                         set("SMART", "", vars{"type": "DAILY", "at": "01:00"}, vars{"type": "DAILY", "at": "01:02"}),
			"TOO_MANY input,rules":                                               set("SMART", "", slices.Repeat([]vars{{"type": "DAILY", "at": "01:00"}}, 21)...),
			"OUT_OF_RANGE input,rules,1,every; OUT_OF_RANGE input,rules,2,every": set("SMART", "", vars{"type": "DAILY", "at": "01:00"}, vars{"type": "MINUTELY", "every": 50000}, vars{"type": "HOURLY", "every": 25}),
			"STALE_VERSION input,expectedVersion":                                {"input": vars{"connectionId": id("Connection", w.alpha.connection), "mode": "SMART", "rules": []vars{}, "expectedVersion": 1}},
			"NOT_FOUND input,connectionId":                                       {"input": vars{"connectionId": id("Connection", w.beta.connection), "mode": "SMART", "rules": []vars{}}},
		} {
			if got := w.faults(by, setSchedule, in); got != want {
				t.Errorf("%s: got %s", want, got)
			}
		}
	})
}

// spec 3.7: the next runs can be listed; both schedules together, soonest first, in the connection's zone.
func TestNextRuns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		by, c := operator(w.alpha.merchant), id("Connection", w.alpha.connection)
		for mode, rule := range map[enum.SyncMode]vars{enum.Smart: {"type": "HOURLY", "every": 12, "minute": 30}, enum.Full: {"type": "DAILY", "at": "00:30"}} {
			w.data(by, "", setSchedule, vars{"input": vars{"connectionId": c, "mode": mode, "timeZone": "Asia/Kolkata", "rules": []vars{rule}}})
		}
		zone := must(time.LoadLocation("Asia/Kolkata"))
		// times are what two lists of runs have in common: mode and time of day there.
		times := func(runs any) (out string) {
			last := w.db.Now()
			for _, r := range runs.([]any) {
				due := must(time.Parse(time.RFC3339, at(r, "at").(string)))
				if due.Before(last) {
					t.Errorf("%s is not in order", brief(runs))
				}
				last = due
				out += string(at(r, "mode").(string)[0]) + due.In(zone).Format("15:04 ")
			}
			return out
		}
		ask := `query N($id: ID!) { node(id: $id) { ... on Connection { both: nextRuns(first: 4) { mode at } full: nextRuns(first: 2, mode: FULL) { mode at } many: nextRuns { mode at } none: nextRuns(first: 0) { at } } }
			connections { nodes { nextRuns(first: 4) { mode at } schedules { mode } } } }`
		got := w.data(by, "", ask, vars{"id": c})
		if both := times(at(got, "node.both")); both != "F00:30 S00:30 S12:30 F00:30 " && both != "S12:30 F00:30 S00:30 S12:30 " {
			t.Errorf("both: %s", both)
		}
		if full := times(at(got, "node.full")); full != "F00:30 F00:30 " {
			t.Errorf("full: %s", full)
		}
		if many, none := at(got, "node.many").([]any), at(got, "node.none").([]any); len(many) != 10 || len(none) != 0 {
			t.Errorf("%d by default, %d of none", len(many), len(none))
		}
		if brief(at(got, "connections.nodes.0.nextRuns")) != brief(at(got, "node.both")) {
			t.Errorf("in a list: %s", brief(got))
		}
		if got := w.ask(by, `query N($id: ID!) { node(id: $id) { ... on Connection { nextRuns(first: 251) { at } } } }`, vars{"id": c}).refused(); got != "PAGE_TOO_LARGE first" {
			t.Errorf("too many: %s", got)
		}
	})
}
