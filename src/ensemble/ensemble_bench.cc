// What an ensemble costs beyond its members: nanoseconds of processor time of three requests that are made and answered
// one by one, and of a combination of three that makes and answers the same; and of a mean by itself. Prints a table.
// Build target mm_ensemble_bench.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/processor_time.h"
#include "ensemble/combine.h"
#include "ensemble/ensemble_version.h"

namespace modelmill {
namespace {

constexpr int kRequests = 200'000;
constexpr int kRepeats = 5;
constexpr size_t kMembers = 3;
constexpr int64_t kValues = 10;

Tensor values(std::string name, int64_t count) {
  const std::string zeros(static_cast<size_t>(count) * sizeof(float), '\0');
  return {std::move(name), DataType::kFp32, {1, count}, {Bytes::copy_of(zeros)}};
}

class Nobody final : public ResponseSink {
 public:
  void on_response(InferResponse, bool, bool) override {}
};

/// Answers each request at once, with the same tensor.
class DirectMembers final : public EnsembleMembers {
 public:
  Result<VersionPin> pin(const EnsemblePlan::Step&) override { return VersionPin(); }
  void submit(VersionPin, InferRequestPtr request) override {
    InferResponse response;
    response.outputs.push_back(answer_);
    request->complete(std::move(response));
  }
  void drop_unwanted(const EnsemblePlan::Step&) override {}
  uint64_t changes() const override { return 0; }
  void call_at(TimePoint, std::function<void()>) override {}

 private:
  const Tensor answer_ = values("y", kValues);
};

std::shared_ptr<const EnsemblePlan> plan_of_three() {
  auto plan = std::make_shared<EnsemblePlan>();
  plan->name = "e";
  plan->tensors = {"x"};
  plan->readers = {{0, 1, 2}};
  plan->writers = {kMembers};
  plan->inputs = {{"x", 0}};
  plan->combines = true;
  plan->combination.quorum = kMembers;
  plan->combination.outputs = {{"y", DataType::kFp32, {}}};
  for (size_t i = 0; i < kMembers; ++i) {
    EnsemblePlan::Step step;
    step.model = "member-" + std::to_string(i);
    step.inputs.push_back({{"x", 0}});
    step.outputs.push_back({"y", plan->tensors.size()});
    plan->combination.outputs[0].tensors.push_back(plan->tensors.size());
    plan->combination.weights.push_back(1);
    plan->tensors.push_back(step.model + ".y");
    plan->readers.emplace_back();
    plan->writers.push_back(i);
    plan->steps.push_back(std::move(step));
  }
  return plan;
}

template <typename Work>
double least_ns(int times, Work work) {
  double least = 1e12;
  for (int i = 0; i < kRepeats; ++i) least = std::min(least, testing::processor_ns(times, work));
  return least;
}

void run() {
  DirectMembers members;
  MetricRegistry metrics;
  ModelVersion::Description description;
  description.definition.name = "e";
  EnsembleVersion ensemble(description, std::make_shared<VersionStats>(metrics, "e", 1), plan_of_three(), members);
  const auto sink = std::make_shared<Nobody>();
  const Tensor x = values("x", kValues);
  const auto request = [&] {
    auto made = std::make_unique<InferRequest>(sink);
    made->model = "member-0";
    made->inputs.push_back(x);
    return made;
  };
  const double alone = least_ns(kRequests, [&] {
    for (size_t i = 0; i < kMembers; ++i) members.submit({}, request());
  });
  const double together = least_ns(kRequests, [&] { ensemble.submit(request()); });
  std::printf("three requests, one by one      %8.0f ns\n", alone);
  std::printf("an ensemble of the three        %8.0f ns\n", together);
  std::printf("what it costs beyond them       %8.0f ns\n", together - alone);
  for (const int64_t count : {int64_t{10}, int64_t{1'000}, int64_t{1'000'000}}) {
    const std::vector<Tensor> tensors(kMembers, values("y", count));
    const std::vector<const Tensor*> pointers{&tensors[0], &tensors[1], &tensors[2]};
    const std::vector<double> weights(kMembers, 1);
    const double mean =
        least_ns(count > 10'000 ? 50 : 20'000, [&] { (void)combine(Combiner::kAverage, "y", pointers, weights); });
    std::printf("the mean of three times %-8lld%8.0f ns\n", static_cast<long long>(count), mean);
  }
}

}  // namespace
}  // namespace modelmill

int main() {
  modelmill::run();
  return 0;
}
