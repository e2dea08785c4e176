"""Sessions, logs, queues and schedules, by the packages that write them, behind a standby that never catches up."""
