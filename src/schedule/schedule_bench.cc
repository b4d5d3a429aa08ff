// Nanoseconds a request from submit() to its answer, with a backend that does nothing: on the loop, one request a turn
// and eight, batched or each by itself; and through an instance's thread. Prints a table; build target
// mm_schedule_bench.

#include <chrono>
#include <cstdio>
#include <future>

#include "catalog/catalog.h"
#include "schedule/testing/fakes.h"
#include "schedule/version_scheduler.h"

namespace modelmill {
namespace {

class NullInstance final : public BackendInstance {
 public:
  void execute(std::vector<InferRequestPtr> requests, Done done) override {
    for (const auto& request : requests) request->complete({});
    done(ExecutionResult{});
  }
};

class NullSink final : public ResponseSink {
 public:
  void on_response(InferResponse, bool final, bool) override { finals += final; }
  int64_t finals = 0;
};

class Bench {
 public:
  explicit Bench(int64_t max_rows) {
    VersionPlan plan;
    plan.max_batch_rows = max_rows;
    plan.has_batch_dimension = true;
    plan.inline_safe = true;
    std::vector<std::unique_ptr<BackendInstance>> instances;
    for (int i = 0; i < 2; ++i) instances.push_back(std::make_unique<NullInstance>());
    auto version = make_scheduled_version(testing::describe(), std::make_shared<VersionStats>(metrics_, "m", 1), plan,
                                          std::make_unique<testing::FakeModel>(), std::move(instances));
    auto table = std::make_shared<ModelTable>();
    auto entry = std::make_shared<ModelEntry>();
    entry->name = "m";
    entry->versions.push_back(std::move(version));
    table->models["m"] = std::move(entry);
    catalog_.publish(std::move(table));
    warm_up();
  }

  double per_request_ns(int per_turn, bool on_loop) {
    constexpr int kTurns = 100'000;
    const auto sink = std::make_shared<NullSink>();
    const auto begin = Clock::now();
    if (on_loop) {
      for (int i = 0; i < kTurns; ++i) turn(sink, per_turn);
    } else {
      for (int i = 0; i < kTurns / 20; ++i) queued();
    }
    const double ns = static_cast<double>(to_ns(Clock::now() - begin));
    return ns / (on_loop ? static_cast<double>(kTurns) * per_turn : kTurns / 20.0);
  }

  double make_request_ns() {
    constexpr int kRequests = 300'000;
    const auto sink = std::make_shared<NullSink>();
    const auto begin = Clock::now();
    for (int i = 0; i < kRequests; ++i) testing::make_request(sink)->complete({});
    return static_cast<double>(to_ns(Clock::now() - begin)) / kRequests;
  }

 private:
  void submit(std::shared_ptr<ResponseSink> sink) {
    InferRequestPtr request = testing::make_request(std::move(sink));
    VersionPin pin = catalog_.pin("m", 0).value();
    ModelVersion& version = *pin;
    std::move(pin).hand_to(*request);
    version.submit(std::move(request));
  }

  void queued() {
    const auto sink = std::make_shared<testing::RecordingSink>();
    submit(sink);
    (void)sink->wait();
  }

  void turn(const std::shared_ptr<NullSink>& sink, int requests) {
    Turn::set_current(&turn_);
    turn_.begin(std::chrono::milliseconds(1));
    for (int i = 0; i < requests; ++i) submit(sink);
    turn_.end();
    Turn::set_current(nullptr);
  }

  void warm_up() {
    for (int i = 0; i < 100; ++i) queued();
  }

  MetricRegistry metrics_;
  Catalog catalog_;
  Turn turn_;
};

}  // namespace
}  // namespace modelmill

int main() {
  using modelmill::Bench;
  for (const int max_rows : {1, 64}) {
    Bench bench(max_rows);
    std::printf("max rows %d\n", max_rows);
    std::printf("  make and answer a request alone    %8.0f ns\n", bench.make_request_ns());
    std::printf("  on the loop, 1 a turn              %8.0f ns\n", bench.per_request_ns(1, true));
    std::printf("  on the loop, 8 a turn              %8.0f ns\n", bench.per_request_ns(8, true));
    std::printf("  through an instance's thread       %8.0f ns\n", bench.per_request_ns(1, false));
  }
}
