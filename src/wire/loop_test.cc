#include "wire/loop.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

#include "wire/deadline_list.h"

namespace modelmill::wire {
namespace {

TEST(Loop, RunsTasksInTheOrderOfTheirPosting) {
  Loop loop;
  std::vector<int> order;
  std::promise<void> done;
  for (int i = 0; i < 1000; ++i) loop.post([&order, i] { order.push_back(i); });
  loop.start();
  loop.post([&] { done.set_value(); });
  done.get_future().wait();
  loop.stop();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Loop, DrivenByHandItRunsWhatIsReadyAndReturns) {
  Loop loop;
  std::vector<int> order;
  loop.post([&] {
    EXPECT_TRUE(loop.on_thread());
    EXPECT_NE(Turn::current(), nullptr);
    order.push_back(1);
    loop.post([&] { order.push_back(2); });
  });
  const auto timer = loop.run_at(Clock::now() + std::chrono::hours(1), [] { FAIL(); });
  loop.run_ready();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_FALSE(loop.on_thread());
  EXPECT_EQ(Turn::current(), nullptr);
}

TEST(Loop, TasksFromManyThreadsAllRunOnItsThread) {
  Loop loop;
  loop.start();
  int ran = 0;
  bool elsewhere = false;
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t)
    posters.emplace_back([&] {
      for (int i = 0; i < 2000; ++i)
        loop.post([&] {
          ++ran;
          elsewhere |= !loop.on_thread() || Turn::current() == nullptr;
        });
    });
  for (std::thread& poster : posters) poster.join();
  std::promise<void> done;
  loop.post([&] { done.set_value(); });
  done.get_future().wait();
  loop.stop();
  EXPECT_EQ(ran, 8000);
  EXPECT_FALSE(elsewhere);
  EXPECT_FALSE(loop.on_thread());
}

TEST(Loop, AfterStopTasksAreDroppedAndDestroyed) {
  Loop loop;
  loop.start();
  loop.stop();
  loop.stop();
  auto token = std::make_shared<int>(0);
  loop.post([token] { FAIL(); });
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Loop, TasksPostedBeforeStartAreDroppedWhenItNeverStarts) {
  auto token = std::make_shared<int>(0);
  {
    Loop loop;
    loop.post([token] {});
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
}

struct Recorder final : Turn::Listener, Flushable {
  explicit Recorder(std::vector<std::string>& l) : log(l) {}
  void on_turn_end(Turn&) override { log.push_back("turn end"); }
  void flush() override { log.push_back("flush"); }
  std::vector<std::string>& log;
};

TEST(Loop, FlushesAfterTheTurnsListeners) {
  Loop loop;
  std::vector<std::string> log;
  auto recorder = std::make_shared<Recorder>(log);
  std::promise<void> done;
  loop.post([&] {
    loop.flush_at_turn_end(recorder);
    Turn::current()->at_end(recorder.get());
    EXPECT_GT(Turn::current()->budget_left(), Duration::zero());
    log.push_back("task");
  });
  loop.start();
  // A task of a later turn: posted from a flush would be the same turn, so it waits for the log to be complete.
  while (true) {
    std::promise<size_t> size;
    loop.post([&] { size.set_value(log.size()); });
    if (size.get_future().get() == 3) break;
  }
  loop.stop();
  EXPECT_EQ(log, (std::vector<std::string>{"task", "turn end", "flush"}));
}

TEST(Loop, TimersRunInTimeOrderAndDestroyedOnesDoNot) {
  Loop loop;
  std::vector<int> order;
  std::promise<void> done;
  std::vector<std::unique_ptr<Loop::Timer>> timers;
  loop.post([&] {
    const TimePoint now = Clock::now();
    timers.push_back(loop.run_at(now + std::chrono::milliseconds(8), [&] {
      order.push_back(2);
      timers.clear();  // also itself, while it runs
      done.set_value();
    }));
    timers.push_back(loop.run_at(now + std::chrono::milliseconds(2), [&] { order.push_back(1); }));
    auto cancelled = loop.run_at(now, [] { FAIL(); });
    cancelled.reset();
  });
  loop.start();
  done.get_future().wait();
  loop.stop();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

struct Entry final : DeadlineEntry {
  Entry(std::vector<int>& log, int id) : log_(log), id_(id) {}
  void on_deadline() override {
    log_.push_back(id_);
    if (then) then();
  }
  std::function<void()> then;
  std::vector<int>& log_;
  int id_;
};

TEST(DeadlineList, TellsThoseThatPassAndForgetsThoseRemoved) {
  Loop loop;
  std::vector<int> passed;
  std::promise<void> done;
  Entry late(passed, 1), never(passed, 2), first(passed, 3), victim(passed, 4), last(passed, 5);
  last.then = [&] { done.set_value(); };
  loop.post([&] {
    DeadlineList& list = loop.deadlines();
    const TimePoint now = Clock::now();
    list.add(late, now + std::chrono::hours(1));
    list.add(never, now + std::chrono::milliseconds(1));
    list.add(first, now);
    list.add(victim, now);
    list.add(last, now + std::chrono::milliseconds(5));
    first.then = [&] { list.remove(victim); };  // due in the same walk
    list.remove(never);
    list.remove(never);
  });
  loop.start();
  done.get_future().wait();
  std::promise<void> removed;
  loop.post([&] {
    loop.deadlines().remove(late);
    removed.set_value();
  });
  removed.get_future().wait();
  loop.stop();
  EXPECT_EQ(passed, (std::vector<int>{3, 5}));
}

TEST(LoopPool, LeastBusyIsTheOneWithFewestConnections) {
  LoopPool pool(3);
  const std::vector<Loop*> loops = pool.loops();
  loops[0]->count_connection(2);
  loops[1]->count_connection(1);
  loops[2]->count_connection(2);
  EXPECT_EQ(&pool.least_busy(), loops[1]);
}

}  // namespace
}  // namespace modelmill::wire
