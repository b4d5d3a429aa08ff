// What the scheduler costs a request from submit() to its answer, with a backend that does nothing: nanoseconds of
// processor time, without those that making a request, pinning its version and answering it cost by themselves. Run on
// the loop, one request a turn and eight, each by itself and batched; handed over to the instances' threads, 64 at
// once; and one alone, which wakes a thread and is waited for. Prints a table with the targets, or with --json an
// object. Build target mm_schedule_bench.

#include <atomic>
#include <cstdio>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/processor_time.h"
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
  void on_response(InferResponse, bool, bool) override {}
};

/// Lets a thread wait until so many requests have been answered.
class CountingSink final : public ResponseSink {
 public:
  explicit CountingSink(int64_t wanted) : left_(wanted) {}
  void on_response(InferResponse, bool, bool) override {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
  }
  void wait() const {
    for (int64_t left = left_.load(std::memory_order_acquire); left > 0; left = left_.load(std::memory_order_acquire))
      left_.wait(left, std::memory_order_acquire);
  }

 private:
  std::atomic<int64_t> left_;
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
    table->put(std::move(entry));
    catalog_.publish(std::move(table));
    warm_up();
  }

  double on_loop_ns(int per_turn) {
    const auto sink = std::make_shared<NullSink>();
    return testing::processor_ns(100'000, [&] { turn(sink, per_turn); }) / per_turn;
  }

  double handed_over_ns(int at_once) {
    return testing::processor_ns(200'000 / at_once / 4,
                                 [&] {
                                   const auto sink = std::make_shared<CountingSink>(at_once);
                                   for (int i = 0; i < at_once; ++i) submit(sink);
                                   sink->wait();
                                 }) /
           at_once;
  }

  double without_scheduler_ns() {
    const auto sink = std::make_shared<NullSink>();
    return testing::processor_ns(300'000, [&] { pinned_request(sink)->complete({}); });
  }

 private:
  InferRequestPtr pinned_request(std::shared_ptr<ResponseSink> sink) {
    InferRequestPtr request = testing::make_request(std::move(sink));
    catalog_.pin("m", 0).value().hand_to(*request);
    return request;
  }

  void submit(std::shared_ptr<ResponseSink> sink) {
    InferRequestPtr request = testing::make_request(std::move(sink));
    VersionPin pin = catalog_.pin("m", 0).value();
    ModelVersion& version = *pin;
    std::move(pin).hand_to(*request);
    version.submit(std::move(request));
  }

  void turn(const std::shared_ptr<NullSink>& sink, int requests) {
    Turn::set_current(&turn_);
    turn_.begin(std::chrono::milliseconds(1));
    for (int i = 0; i < requests; ++i) submit(sink);
    turn_.end();
    Turn::set_current(nullptr);
  }

  void warm_up() { handed_over_ns(1); }

  MetricRegistry metrics_;
  Catalog catalog_;
  Turn turn_;
};

struct Figure {
  std::string name;
  double ns;
  double target_ns;  // 0: none
};

std::vector<Figure> measure() {
  constexpr double kInlineNs = 300, kHandedOverNs = 1'500;
  const double alone = Bench(1).without_scheduler_ns();
  std::vector<Figure> figures = {{"made, pinned and answered without a scheduler", alone, 0}};
  for (const int max_rows : {1, 64}) {
    Bench bench(max_rows);
    const std::string rows = max_rows == 1 ? ", batching off" : ", batches up to 64";
    figures.push_back({"inline, 1 a turn" + rows, bench.on_loop_ns(1) - alone, kInlineNs});
    figures.push_back({"inline, 8 a turn" + rows, bench.on_loop_ns(8) - alone, kInlineNs});
    figures.push_back({"handed over, 64 at once" + rows, bench.handed_over_ns(64) - alone, kHandedOverNs});
    figures.push_back({"alone through a thread, waited for" + rows, bench.handed_over_ns(1) - alone, 0});
  }
  return figures;
}

void print_json(const std::vector<Figure>& figures) {
  const char* before = "{";
  for (const Figure& figure : figures) {
    std::printf("%s\"%s\": %.1f", before, figure.name.c_str(), figure.ns);
    before = ", ";
  }
  std::printf("}\n");
}

void print_table(const std::vector<Figure>& figures) {
  for (const Figure& figure : figures) {
    std::printf("%-55s %8.0f ns", figure.name.c_str(), figure.ns);
    if (figure.target_ns > 0) {
      std::printf("  %6.0f %s", figure.target_ns, figure.ns <= figure.target_ns ? "reached" : "MISSED");
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace modelmill

int main(int argc, char** argv) {
  const auto figures = modelmill::measure();
  if (argc > 1 && std::string(argv[1]) == "--json") {
    modelmill::print_json(figures);
  } else {
    modelmill::print_table(figures);
  }
  return 0;
}
