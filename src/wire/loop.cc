#include "wire/loop.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "base/check.h"
#include "wire/deadline_list.h"

namespace modelmill::wire {
namespace {

namespace asio = boost::asio;

/// Handlers run in one turn before its listeners get their say.
constexpr size_t kHandlersPerTurn = 256;
/// What models may run on the loop's thread in one turn.
constexpr Duration kTurnBudget = std::chrono::microseconds(100);

thread_local const Loop* t_loop = nullptr;

}  // namespace

struct Loop::Rep {
  explicit Rep(Loop& loop) : deadlines(loop) {}

  void take_inbox();
  void end_turn();

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  std::atomic<int> connections{0};
  std::thread thread;

  Mutex mutex;
  std::vector<std::function<void()>> inbox MM_GUARDED_BY(mutex);
  bool woken MM_GUARDED_BY(mutex) = false;  // take_inbox() has been posted and has not yet run
  bool stopped MM_GUARDED_BY(mutex) = false;

  // The loop thread's own.
  std::vector<std::function<void()>> running;
  std::vector<std::shared_ptr<Flushable>> dirty;
  std::vector<std::shared_ptr<Flushable>> flushing;
  Turn turn;
  DeadlineList deadlines;
};

void Loop::Rep::take_inbox() {
  {
    MutexLock lock(mutex);
    running.swap(inbox);
    woken = false;
  }
  for (auto& task : running) {
    task();
    task = nullptr;  // what the task holds goes before the next one runs
  }
  running.clear();
}

void Loop::Rep::end_turn() {
  turn.end();
  while (!dirty.empty()) {
    flushing.swap(dirty);
    for (auto& what : flushing) what->flush();
    flushing.clear();
    turn.end();  // a flush may end calls, and their handlers may have asked for the turn's end
  }
}

Loop::Loop() : rep_(std::make_unique<Rep>(*this)) {}

Loop::~Loop() {
  stop();
  rep_->deadlines.clear_timer();
}

boost::asio::io_context& Loop::context() { return rep_->context; }

void Loop::post(std::function<void()> task) {
  {
    MutexLock lock(rep_->mutex);
    if (rep_->stopped) return;
    rep_->inbox.push_back(std::move(task));
    if (std::exchange(rep_->woken, true)) return;
  }
  asio::post(rep_->context, [rep = rep_.get()] { rep->take_inbox(); });
}

bool Loop::on_thread() const { return t_loop == this; }

namespace {

/// Destroying it cancels; a cancelled wait still completes, and then finds no task.
class AsioTimer final : public Loop::Timer {
 public:
  AsioTimer(asio::io_context& context, TimePoint when, std::function<void()> task)
      : state_(std::make_shared<State>(context, std::move(task))) {
    state_->timer.expires_at(when);
    state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
      if (error) return;
      if (auto run = std::exchange(state->task, nullptr)) run();
    });
  }
  ~AsioTimer() override {
    state_->task = nullptr;
    state_->timer.cancel();
  }

 private:
  struct State {
    State(asio::io_context& context, std::function<void()> t) : timer(context), task(std::move(t)) {}
    asio::steady_timer timer;
    std::function<void()> task;
  };
  std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<Loop::Timer> Loop::run_at(TimePoint when, std::function<void()> task) {
  return std::make_unique<AsioTimer>(rep_->context, when, std::move(task));
}

void Loop::flush_at_turn_end(std::shared_ptr<Flushable> what) { rep_->dirty.push_back(std::move(what)); }
DeadlineList& Loop::deadlines() { return rep_->deadlines; }

int Loop::connections_approx() const { return rep_->connections.load(std::memory_order_relaxed); }
void Loop::count_connection(int delta) { rep_->connections.fetch_add(delta, std::memory_order_relaxed); }

bool Loop::running() const { return rep_->thread.joinable(); }

void Loop::start() {
  MM_CHECK(!rep_->thread.joinable(), "a loop starts once");
  rep_->thread = std::thread([this] {
    t_loop = this;
    Turn::set_current(&rep_->turn);
    while (true) {
      rep_->turn.begin(kTurnBudget);
      if (rep_->context.run_one() == 0) break;
      for (size_t i = 1; i < kHandlersPerTurn && rep_->context.poll_one() != 0; ++i) {
      }
      rep_->end_turn();
    }
    Turn::set_current(nullptr);
    t_loop = nullptr;
  });
}

void Loop::run_ready() {
  MM_CHECK(!rep_->thread.joinable(), "a loop that has a thread is not driven by hand");
  t_loop = this;
  Turn::set_current(&rep_->turn);
  size_t ran = 1;
  while (ran != 0) {
    rep_->turn.begin(kTurnBudget);
    for (ran = 0; ran < kHandlersPerTurn && rep_->context.poll_one() != 0; ++ran) {
    }
    rep_->end_turn();
  }
  Turn::set_current(nullptr);
  t_loop = nullptr;
}

void Loop::stop() {
  std::vector<std::function<void()>> dropped;
  {
    MutexLock lock(rep_->mutex);
    rep_->stopped = true;
    dropped.swap(rep_->inbox);
  }
  rep_->context.stop();
  if (rep_->thread.joinable()) rep_->thread.join();
}

LoopPool::LoopPool(int count) {
  MM_CHECK(count > 0, "a server needs at least one loop");
  for (int i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>());
}

LoopPool::~LoopPool() { stop(); }

Loop& LoopPool::least_busy() {
  Loop* best = loops_[0].get();
  for (auto& loop : loops_)
    if (loop->connections_approx() < best->connections_approx()) best = loop.get();
  return *best;
}

std::vector<Loop*> LoopPool::loops() {
  std::vector<Loop*> all;
  for (auto& loop : loops_) all.push_back(loop.get());
  return all;
}

void LoopPool::start() {
  for (auto& loop : loops_) loop->start();
}

void LoopPool::stop() {
  for (auto& loop : loops_) loop->stop();
}

}  // namespace modelmill::wire
