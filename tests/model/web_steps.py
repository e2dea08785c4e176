"""What the requests of a browser do, and the cookies that their answers bring."""

from __future__ import annotations

from types import SimpleNamespace

from django.http import HttpResponse

from pindb.config.database_sets import current_config
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.work import RequestWork
from pindb.web import cookie, middleware
from tests.model.frozen import current_work, freeze_pins, thaw_pins
from tests.model.steps import Step, handed_on
from tests.model.world import Known, Run


class Request(Step):
    """A request comes in, with the browser's cookies: what `PinDbMiddleware` does before the view."""

    def take(self, run: Run) -> str:
        jar = {name: value for name, value, end in run.world.jar if end > run.world.now}
        received = cookie.read(SimpleNamespace(COOKIES=jar), current_config())  # type: ignore[arg-type]
        RequestWork(UnitOfWork(received.pins, "cookie")).__enter__()
        run.change(received=(freeze_pins(received.pins), *received[1:]))
        run.receive(run.world.browser)
        return "comes in"


class Respond(Step):
    """The view returns: what `PinDbMiddleware` does after it. The answer is on its way."""

    def take(self, run: Run) -> str:
        pins, *rest = run.actor.received
        received = cookie.Received(thaw_pins(pins), *rest)
        response, work = HttpResponse(), current_work()
        work.close()
        middleware._hand_on(SimpleNamespace(META={}), response, work, received)  # type: ignore[arg-type]
        answer = [(name, morsel.value, run.world.now + morsel["max-age"]) for name, morsel in response.cookies.items()]
        run.change(answer=tuple(answer), known=handed_on(run), received=None)
        return "is answered"


class Arrive(Step):
    """The answer reaches the browser: one cookie after the other, so that another request may go out in between."""

    def take(self, run: Run) -> str:
        now, known = run.world.now, run.actor.known
        if run.actor.answer:
            (name, value, end), *rest = run.actor.answer
            jar = {name: (value, end) for name, value, end in run.world.jar if end > now}
            if end > now:
                jar[name] = (value, end)
            else:
                jar.pop(name, None)
            run.change_world(jar=tuple(sorted((name, *cookie) for name, cookie in jar.items())))
            run.change(answer=tuple(rest))
        if run.actor.answer:
            # Its pins may be there already, but nobody has seen the answer yet.
            run.change_world(browser=run.world.browser.join(Known(pinned_until=known.pinned_until)))
            run.change(next_step=run.actor.next_step - 1)
            return "has its first cookie set"
        run.change_world(browser=run.world.browser.join(known))
        return "has its answer arrive"
