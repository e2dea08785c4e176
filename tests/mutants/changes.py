"""The changes: for each guarantee some lines without which it would not hold, and the test that says so."""

from __future__ import annotations

from typing import Final, NamedTuple


class Change(NamedTuple):
    """One line of pindb, changed. `old` occurs once in the file; it has as much around the line as that takes."""

    guarantee: str
    name: str
    file: str
    old: str
    new: str
    test: str
    """Under `tests`: the test that fails then."""


def model(world: str) -> str:
    """Return the test that explores a small world of the model."""
    return f"model/test_model.py::test_the_guarantees_hold_in_each_state_of_a_small_world[{world}]"


CHANGES: Final = (
    Change(
        "G1",
        "a write that was asked about is not read from the master",
        "pindb/core/unit_of_work.py",
        "self.pin(db_set, as_new=False, origin=origin)",
        "pass",
        "unit/routing/test_rules.py::test_a_greedy_write_uses_the_master_and_pins",
    ),
    Change(
        "G1",
        "a statement that writes makes no pin",
        "pindb/routing/writes/tracking.py",
        "unit.pin(part, as_new=True, origin=origin(unit, part.name, PinnedBy.WRITE))",
        "pass",
        "unit/routing/writes/test_tracking.py::test_a_write_that_no_router_was_asked_about_pins",
    ),
    Change(
        "G1",
        "a pin leaves the cached decisions as they are",
        "pindb/core/unit_of_work.py",
        "        self.aliases.update(db_set.masters)\n\n",
        "\n",
        model("one tab, the clock jumps"),
    ),
    Change(
        "G2",
        "all cookies have one name",
        "pindb/web/cookie.py",
        'return f"{base}.{hashlib.sha256(value.encode()).hexdigest()[:8]}"',
        "return base",
        "unit/web/test_cookie.py::test_no_order_of_overlapping_responses_loses_a_pin",
    ),
    Change(
        "G2",
        "the earlier of two times is kept",
        "pindb/core/pins.py",
        "timed[name] = max(until, timed.get(name, until))",
        "timed[name] = min(until, timed.get(name, until))",
        "unit/core/test_pins.py::test_join_never_loses_a_pin_nor_ends_one_early",
    ),
    Change(
        "G2",
        "an error response carries no pin",
        "pindb/web/middleware.py",
        "    if pins:\n",
        "    if pins and response.status_code < 500:\n",
        "unit/web/test_middleware.py::test_an_error_response_after_a_write_carries_the_pin",
    ),
    Change(
        "G3",
        "a message carries no pins of its publisher",
        "pindb/propagation/messages.py",
        "pins = pins_to_hand_on(config, unit, now)",
        "pins = NOTHING",
        "unit/propagation/test_messages.py::test_a_new_pins_clock_starts_when_it_is_handed_on",
    ),
    Change(
        "G3",
        "a retry loses the pins of its message",
        "pindb/propagation/messages.py",
        "codec.encode(pins.join(codec.decode(existing, now)), draw if drawn is None else drawn)",
        "codec.encode(pins, draw)",
        "unit/propagation/test_messages.py::test_what_the_message_carries_already_is_joined",
    ),
    Change(
        "G3",
        "Celery's messages have no header",
        "pindb_celery/publishing.py",
        "headers[adapters.KEY] = pins",
        "pass",
        "unit/pindb_celery/test_unit_of_work.py::test_a_publish_at_the_commit_carries_what_was_committed",
    ),
    Change(
        "G3",
        "Dramatiq's messages have no option",
        "pindb_dramatiq/publishing.py",
        "options[adapters.KEY] = pins if existing is None else adapters.outgoing(existing)",
        "pass",
        "unit/pindb_dramatiq/test_publishing.py::test_the_callers_pins_arrive_as_carried_pins_whichever_way_it_sends",
    ),
    Change(
        "G3",
        "the name of a log does not contain the timeline",
        "pindb/servers/vendors/postgresql.py",
        'return f"p{name}.{timeline:x}"',
        'return f"p{name}.1"',
        model("a failover, asked by a privileged role"),
    ),
    Change(
        "G3",
        "a position is taken before the commit",
        "pindb/core/activity.py",
        "return any(map(in_transaction, (*self[server].connections, *more)))",
        "return False",
        model("a task published inside a transaction, with log positions"),
    ),
    Change(
        "G3",
        "a position is not asked for again after another write",
        "pindb/core/activity.py",
        "if activity.cached is None or activity.cached[0] is not activity.change:",
        "if activity.cached is None:",
        model("two writes, each with a task, with log positions"),
    ),
    Change(
        "G3",
        "a restarted replica is believed to be as far as before",
        "pindb/servers/position_cache.py",
        "position = answer.floor if floor else answer.position",
        "position = answer.position",
        model("a replica is killed and comes back older"),
    ),
    Change(
        "G4",
        "a batch has the pins of its first message only",
        "pindb/propagation/messages.py",
        "reduce(PinSet.join, (each.inherited for each in units))",
        "unit.inherited",
        "unit/pindb_celery/test_batches.py::test_a_batch_has_the_joined_pins_of_its_messages",
    ),
    Change(
        "G4",
        "a group's members leave nothing for its callbacks",
        "pindb_dramatiq/groups.py",
        "for name in _names(adapters.outcome()):",
        "for name in ():",
        "unit/pindb_dramatiq/test_groups.py::test_a_callback_has_what_every_member_wrote_and_nothing_else",
    ),
    Change(
        "G4",
        "of two positions in a log the last one is kept",
        "pindb/core/pins.py",
        "max(known.offset, offset)",
        "offset",
        "unit/core/test_pins.py::test_each_log_has_one_position_the_furthest_and_the_longest",
    ),
    Change(
        "G4",
        "what was taken before is forgotten",
        "pindb/core/unit_of_work.py",
        "inherited = self.inherited.join(given)",
        "inherited = given",
        "unit/core/test_unit_of_work.py::test_two_threads_that_take_results_at_once_both_leave_their_pins",
    ),
    Change(
        "G5",
        "a unit of work does not keep its replica",
        "pindb/routing/replica_choice.py",
        "unit.chosen_replicas.setdefault(db_set.name, read[0] if read else next(readable(db_set)))",
        "next(readable(db_set))",
        "unit/routing/test_rules.py::test_an_unpinned_context_reads_one_replica_and_keeps_it",
    ),
    Change(
        "G5",
        "a unit of work does not keep the replica that has caught up",
        "pindb/routing/replica_choice.py",
        "agreed = unit.chosen_replicas.setdefault(db_set.name, replica)",
        "agreed = replica",
        model("a task after a write, with log positions"),
    ),
    Change(
        "G5",
        "reads are not handed on, although monotonic reads are switched on",
        "pindb/propagation/handoff.py",
        "        if ahead:\n",
        "        if not ahead:\n",
        model("one tab reads, with monotonic reads"),
    ),
    Change(
        "G6",
        "a unit of work is not left",
        "pindb/propagation/work.py",
        "        pop(self)\n\n\nclass MessageWork",
        "        pass\n\n\nclass MessageWork",
        "unit/web/test_middleware.py::test_an_exception_that_escapes_leaves_nothing_behind",
    ),
    Change(
        "G6",
        "what an interrupted task has left open stays open",
        "pindb/propagation/messages.py",
        "            pop(frame.owner)\n",
        "            pass\n",
        "unit/propagation/test_messages_nested.py::test_what_an_interrupted_close_left_behind_is_discarded_between_two_tasks",
    ),
    Change(
        "G6",
        "a streamed body leaves its unit of work to the server",
        "pindb/propagation/work.py",
        "            frame_var.set(before)\n",
        "            pass\n",
        "unit/web/test_streaming.py::test_a_streamed_body_runs_in_the_requests_context",
    ),
    Change(
        "G7",
        "a message that cannot be read pins nothing",
        "pindb/propagation/carriers.py",
        "        return pin_everything(now + config.settings.pinning_seconds)\n",
        "        return NOTHING\n",
        "unit/propagation/test_messages_in_doubt.py::test_any_garbage_pins_every_set",
    ),
    Change(
        "G7",
        "a publish for which pindb fails carries nothing",
        "pindb/propagation/messages.py",
        'the task of the message reads masters.")\n        return UNREADABLE',
        'the task of the message reads masters.")\n        return existing',
        "unit/propagation/test_messages_in_doubt.py::test_broken_settings_fail_no_publish_and_no_task",
    ),
    Change(
        "G7",
        "a position in an unknown log counts as passed",
        "pindb/servers/vendors/base.py",
        "position.get(pinned.log, -1)",
        "position.get(pinned.log, pinned.offset)",
        model("a failover, asked by a privileged role"),
    ),
    Change(
        "G8",
        "a write goes where reads go",
        "pindb/routing/routers.py",
        "return write_alias(config, alias, strict=self.strict)\n\n    def read_again",
        "return read_alias(config, alias)\n\n    def read_again",
        "unit/routing/test_rules.py::test_a_greedy_write_uses_the_master_and_pins",
    ),
    Change(
        "G8",
        "a write goes to the replica that a delegate names",
        "pindb/routing/rules.py",
        "    master = db_set.masters[alias]\n    if not config.settings.enabled or",
        "    master = alias\n    if not config.settings.enabled or",
        "unit/routing/test_routers.py::test_delegates_choose_the_set",
    ),
    Change(
        "G9",
        "the pins of a result are not taken",
        "pindb/propagation/results.py",
        'current_frame().unit.absorb(new, given, Origin(PinnedBy.CALLER, "result"))',
        "pass",
        "unit/propagation/test_results.py::test_what_a_task_wrote_is_its_takers_own",
    ),
    Change(
        "G9",
        "the pins of a lost result are not taken",
        "pindb/propagation/results.py",
        "    except codec.WireError:\n        given, new = NOTHING, pin_everything(0)",
        "    except codec.WireError:\n        given, new = NOTHING, NOTHING",
        "unit/propagation/test_results.py::test_a_result_that_does_not_say_means_masters",
    ),
    Change(
        "G9",
        "Dramatiq's results bring no pins",
        "pindb_dramatiq/results.py",
        "    adapters.take(pins)\n",
        "    pass\n",
        "unit/pindb_dramatiq/test_results.py::test_the_taker_of_a_result_adopts_what_its_actor_wrote",
    ),
)
