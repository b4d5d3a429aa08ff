#include "schedule/lane.h"

#include <sys/resource.h>
#include <time.h>

#include "request/background.h"
#include "schedule/failure_reason.h"

namespace modelmill {
namespace {

Duration from_timespec(const timespec& t) {
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

ThreadUsage ThreadUsage::now() {
  // Not getrusage's times: of a thread that runs the kernel brings them up to date at its ticks only, so that
  // microseconds are charged with what milliseconds before them took.
  timespec processor{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &processor);
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return {from_timespec(processor), usage.ru_nvcsw};
}

void VersionScheduler::Lane::on_completed(InferRequest& request, const Status& status) {
  // On a loop all is over in microseconds; reading the clock again would be a good part of that.
  request.times.batch = batch;
  if (version.gathers_ && turn == nullptr) {
    unanswered.fetch_sub(request.batch_rows, std::memory_order_relaxed);
    version.running_rows_.fetch_sub(request.batch_rows, std::memory_order_relaxed);
  }
  const bool here = turn != nullptr && began_on == std::this_thread::get_id();
  if (here && first_answer != TimePoint{}) {
    request.times.compute_end = first_answer;
  } else {
    request.times.compute_end = version.time_.now();
    if (here) first_answer = request.times.compute_end;
  }
  const Duration objective = version.policy_.objective;
  if (objective > Duration{} && !is_background(request) && request.times.compute_end - request.times.queued > objective)
    late.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) {
    version.stats().request_succeeded(request.times, request.batch_rows);
  } else {
    failed.all.fetch_add(1, std::memory_order_relaxed);
    version.stats().request_failed(request.times, reason_while_running(status.code()));
  }
}

ExecutionRecord VersionScheduler::Lane::record(TimePoint input_end, TimePoint infer_end, TimePoint end) const {
  return {.rows = rows,
          .padded = padded,
          .requests = requests - uncounted,
          .failed = failed.all.load(std::memory_order_relaxed) - failed.uncounted.load(std::memory_order_relaxed),
          .input = input_end - start,
          .infer = infer_end - input_end,
          .output = end - infer_end};
}

}  // namespace modelmill
