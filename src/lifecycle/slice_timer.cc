#include "lifecycle/slice_timer.h"

#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <thread>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

/// Threads that wait more than so many times what they run do no work: they look out for some, and yield.
constexpr double kIdle = 8;

/// Of those that worked in between.
ThreadTimes spent(const std::map<pid_t, ThreadTimes>& before, const std::map<pid_t, ThreadTimes>& after) {
  ThreadTimes out;
  for (const auto& [id, times] : after) {
    const auto at = before.find(id);
    const ThreadTimes first = at == before.end() ? ThreadTimes{} : at->second;
    const Duration ran = times.ran - first.ran, waited = times.waited - first.waited;
    out.ran += ran;
    if (to_seconds(waited) <= kIdle * to_seconds(ran)) out.waited += waited;
  }
  return out;
}

}  // namespace

SliceTimer::SliceTimer(int cores) : cores_(std::max(cores, 1)) {
  for (const auto& [id, times] : thread_times()) others_.insert(id);
}

/// The threads that runtimes started.
std::map<pid_t, ThreadTimes> SliceTimer::workers(const std::set<pid_t>& lanes) const {
  std::map<pid_t, ThreadTimes> out = thread_times();
  std::erase_if(out,
                [&](const auto& thread) { return others_.contains(thread.first) || lanes.contains(thread.first); });
  return out;
}

std::optional<double> SliceTimer::rate(const LaneWork& work, Duration slice, const std::atomic<bool>& stop) const {
  struct Lane {
    pid_t thread = 0;
    int64_t runs = 0;
    Duration took{};
    ThreadTimes times;
    bool failed = false;
  };
  std::vector<Lane> lanes(static_cast<size_t>(work.lanes));
  // While all of them wait, the account of the runtime's threads is read: those of a lane may end with it.
  std::map<pid_t, ThreadTimes> before, after;
  bool begun = false;
  const auto read_account = [&]() noexcept {
    std::set<pid_t> ids;
    for (const Lane& lane : lanes) ids.insert(lane.thread);
    (std::exchange(begun, true) ? after : before) = workers(ids);
  };
  std::barrier together(work.lanes, read_account);
  const auto run = [&](int index) {
    Lane& lane = lanes[static_cast<size_t>(index)];
    lane.thread = ::gettid();
    lane.failed = !work.execute(index);
    together.arrive_and_wait();
    // The account within the time that it is taken off.
    const TimePoint begin = Clock::now();
    const ThreadTimes first = times_of_this_thread();
    while (!lane.failed && !stop && (lane.runs == 0 || lane.took < slice)) {
      lane.failed = !work.execute(index);
      ++lane.runs;
      lane.took = Clock::now() - begin;
    }
    const ThreadTimes last = times_of_this_thread();
    lane.times = {last.ran - first.ran, last.waited - first.waited};
    lane.took = Clock::now() - begin;
    together.arrive_and_wait();
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < work.lanes; ++i) threads.emplace_back(run, i);
  run(0);
  for (std::thread& thread : threads) thread.join();
  double runs = 0, took = 0;
  ThreadTimes times = spent(before, after);
  for (const Lane& lane : lanes) {
    if (lane.failed || lane.runs == 0) return std::nullopt;
    runs += static_cast<double>(lane.runs);
    took += to_seconds(lane.took);
    times.ran += lane.times.ran;
    times.waited += lane.times.waited;
  }
  // Of a lane: the time that passed less the waits, but no less than the cores that it may use must have been at work.
  const double passed = (took - to_seconds(times.waited) / work.threads) / work.lanes;
  const int cores = std::clamp(work.lanes * work.threads, 1, cores_);
  return runs / std::max({passed, to_seconds(times.ran) / cores, 1e-9});
}

}  // namespace modelmill
