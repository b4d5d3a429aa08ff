#include "runtime/gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/thread_slot.h"
#include "runtime/turn.h"

namespace modelmill {
namespace {

TEST(GateTest, NobodyEntersAfterClose) {
  Gate gate;
  ASSERT_TRUE(gate.enter());
  EXPECT_EQ(gate.inside_approx(), 1u);
  gate.close();
  gate.close();
  EXPECT_TRUE(gate.closed());
  EXPECT_FALSE(gate.enter());
  EXPECT_EQ(gate.inside_approx(), 1u);
  gate.enter_again();
  gate.leave();
  gate.leave();
  gate.wait_empty();
}

TEST(GateTest, WaitsForTheLast) {
  Gate gate;
  ASSERT_TRUE(gate.enter());
  gate.close();
  std::atomic<bool> left{false};
  std::thread leaver([&] {
    left = true;
    gate.leave();
  });
  gate.wait_empty();
  EXPECT_TRUE(left);
  leaver.join();
}

/// The waiter destroys the gate at once: the last one out must not touch it any more (for the sanitizers).
TEST(GateTest, MayBeDestroyedOnceEmpty) {
  for (int round = 0; round < 300; ++round) {
    auto gate = std::make_unique<Gate>();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      ASSERT_TRUE(gate->enter());
      threads.emplace_back([g = gate.get()] { g->leave(); });
    }
    gate->close();
    gate->wait_empty();
    gate.reset();
    for (auto& t : threads) t.join();
  }
}

TEST(ThreadSlotTest, UniqueAmongTheLivingAndReused) {
  const size_t mine = thread_slot();
  EXPECT_EQ(thread_slot(), mine);
  size_t first = 0, second = 0;
  std::thread([&] { first = thread_slot(); }).join();
  std::thread([&] { second = thread_slot(); }).join();
  EXPECT_NE(first, mine);
  EXPECT_EQ(first, second);
}

class Recorder final : public Turn::Listener {
 public:
  explicit Recorder(std::vector<int>& log, int name, int again = 0) : log_(log), name_(name), again_(again) {}
  void on_turn_end(Turn& turn) override {
    log_.push_back(name_);
    if (again_-- > 0) turn.at_end(this);
  }

 private:
  std::vector<int>& log_;
  int name_;
  int again_;
};

TEST(TurnTest, ListenersInOrderThenThoseTheyAdd) {
  std::vector<int> log;
  Recorder one(log, 1, 1), two(log, 2);
  Turn turn;
  EXPECT_EQ(Turn::current(), nullptr);
  Turn::set_current(&turn);
  EXPECT_EQ(Turn::current(), &turn);
  turn.begin(std::chrono::milliseconds(2));
  turn.charge(std::chrono::milliseconds(3));
  EXPECT_EQ(turn.budget_left(), std::chrono::milliseconds(-1));
  turn.at_end(&one);
  turn.at_end(&two);
  turn.end();
  EXPECT_EQ(log, (std::vector<int>{1, 2, 1}));
  turn.end();
  EXPECT_EQ(log.size(), 3u);
  Turn::set_current(nullptr);
}

}  // namespace
}  // namespace modelmill
