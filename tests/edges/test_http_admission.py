import asyncio
import itertools
import threading

import pytest

from watchword.errors import OverloadedError
from watchword.server.http.admission import Admission, HashPool
from watchword.server.http.pace import Pace


def test_at_most_slots_run_queue_wait_and_the_rest_are_shed():
    async def main() -> None:
        admission = Admission(slots=2, queue=3, retry_after=4)
        running, most, order = 0, 0, []
        gate = asyncio.Event()

        async def work(number: int) -> None:
            nonlocal running, most
            async with admission:
                running += 1
                most = max(most, running)
                order.append(number)
                await gate.wait()
                running -= 1

        tasks = [asyncio.create_task(work(number)) for number in range(9)]
        await asyncio.sleep(0.01)
        assert (running, admission.waiting, admission.shed) == (2, 3, 4)
        with pytest.raises(OverloadedError) as full:
            admission.check()
        assert full.value.retry_after == 4
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [type(None)] * 5 + [OverloadedError] * 4
        assert (order, most) == ([0, 1, 2, 3, 4], 2)
        admission.check()

    asyncio.run(main())


def test_a_cancelled_waiter_gives_its_place_up():
    async def main() -> None:
        admission = Admission(slots=1, queue=5)
        entered = []

        async def work(number: int) -> None:
            async with admission:
                entered.append(number)
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(work(number)) for number in range(5)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0.005)
        tasks[0].cancel()
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert entered == [0, 2, 4]
        async with asyncio.timeout(1), admission:
            assert admission.waiting == 0

    asyncio.run(main())


def test_cancellation_at_any_moment_loses_no_place():
    async def main() -> None:
        for steps in range(8):
            admission = Admission(slots=1, queue=5)

            async def work(admission: Admission = admission) -> None:
                async with admission:
                    await asyncio.sleep(0)

            tasks = [asyncio.create_task(work()) for _ in range(4)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in tasks[:3]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            async with asyncio.timeout(1), admission:
                assert admission.waiting == 0

    asyncio.run(main())


def test_cheap_work_goes_on_between_two_turns():
    async def main() -> None:
        admission = Admission(slots=50, queue=0, pace=Pace(budget_s=0))
        trace = []

        async def costly(number: int) -> None:
            async with admission:
                trace.append(f"costly {number}")

        async def cheap() -> None:
            for _ in range(20):
                trace.append("cheap")
                await asyncio.sleep(0)

        await asyncio.gather(cheap(), *[costly(number) for number in range(20)])
        beginnings = [index for index, event in enumerate(trace) if event.startswith("costly")]
        assert [trace[index] for index in beginnings] == [f"costly {number}" for number in range(20)]
        between = [after - before for before, after in itertools.pairwise(beginnings)]
        assert all(gap >= 2 for gap in between[:10])

    asyncio.run(main())


def test_work_is_paced_at_each_of_its_steps():
    async def main() -> None:
        admission = Admission(slots=50, queue=0, pace=Pace(budget_s=0))
        together, trace = asyncio.Event(), []

        async def costly(number: int) -> int:
            await together.wait()
            trace.append(f"costly {number}")
            return number

        async def cheap() -> None:
            for _ in range(12):
                trace.append("cheap")
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(admission.run(costly(number))) for number in range(10)]
        await asyncio.sleep(0.01)
        together.set()
        await cheap()
        assert await asyncio.gather(*tasks) == list(range(10))
        steps = [index for index, event in enumerate(trace) if event.startswith("costly")]
        assert all(after - before >= 2 for before, after in itertools.pairwise(steps[:8]))

    asyncio.run(main())


def test_an_iteration_does_as_much_work_as_its_budget_allows_and_no_more():
    async def main() -> None:
        now, trace = 0.0, []
        pace = Pace(budget_s=0.001, timer=lambda: now)

        async def costly() -> None:
            nonlocal now
            await asyncio.sleep(0)
            now += 0.0004
            trace.append("costly")

        async def cheap() -> None:
            for _ in range(30):
                trace.append("cheap")
                await asyncio.sleep(0)

        async def paced() -> None:
            await pace.turn()
            await pace.run(costly())

        await asyncio.gather(*[paced() for _ in range(20)], cheap())
        runs = [len(list(group)) for kind, group in itertools.groupby(trace) if kind == "costly"]
        assert sum(runs) == 20
        assert (
            max(runs) <= 5
        )  # those that were woken for this iteration, and those who came in it while there was budget

    asyncio.run(main())


def test_work_that_comes_alone_does_not_wait():
    async def main() -> None:
        began = asyncio.get_running_loop().call_soon(lambda: trace.append("next iteration"))
        trace: list[str] = []
        await Pace().turn()
        trace.append("turn")
        assert trace == ["turn"]
        began.cancel()

    asyncio.run(main())


def test_errors_and_cancellations_reach_the_work_and_free_the_place():
    async def main() -> None:
        admission, seen = Admission(slots=1, queue=0), []

        async def fails() -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        async def endless() -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                seen.append("cancelled")
                await asyncio.sleep(0)
                raise
            finally:
                seen.append("finally")

        with pytest.raises(ZeroDivisionError):
            await admission.run(fails())
        task = asyncio.create_task(admission.run(endless()))
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError):
            await admission.run(fails())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cancelled", "finally"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await admission.run(endless())
        admission.check()

    asyncio.run(main())


def test_the_hash_pool_sheds_what_does_not_fit():
    async def main() -> None:
        pool = HashPool(cores=1)
        gate = threading.Event()
        tasks = [asyncio.create_task(pool.run(gate.wait)) for _ in range(12)]
        await asyncio.sleep(0.01)
        assert pool.shed == 4
        tasks[7].cancel()
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[:7] == [True] * 7
        assert isinstance(results[7], asyncio.CancelledError)
        assert all(isinstance(result, OverloadedError) for result in results[8:])
        assert await pool.run(lambda: 5) == 5
        pool.close()

    asyncio.run(main())
