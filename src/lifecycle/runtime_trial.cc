#include "lifecycle/runtime_trial.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <random>
#include <utility>

#include "lifecycle/answer_distance.h"
#include "lifecycle/resident_memory.h"
#include "lifecycle/runtime_choice.h"
#include "lifecycle/runtime_likeness.h"
#include "lifecycle/sample_inputs.h"
#include "lifecycle/slice_timer.h"
#include "lifecycle/version_loader.h"

namespace modelmill {
namespace {

constexpr uint64_t kTrialSeed = 47;
/// Rows that are asked alone, and then together, of each runtime.
constexpr int kComparedRows = 3;
/// Larger batches aren't measured once a size does less than this part of the best rate.
constexpr double kNotWorth = 0.7;
/// Nor, where an execution takes a slice, after so many sizes that brought less than this times the best before them.
constexpr double kGain = 1.02;
constexpr int kSizesInVain = 2;
/// Layouts with less than this part of the best rate are measured once only.
constexpr double kFarBehind = 0.7;

/// The version in one layout.
struct Contender {
  RuntimeCandidate candidate;
  const LessPreciseRuntime* less_precise = nullptr;  // null: it computes in the model's own precision
  LoadedVersion loaded;
  int lanes = 1;      // executions at a time
  std::string worst;  // the output that is farthest from the reference's
  bool in() const { return candidate.excluded.empty(); }
};

uint64_t free_bytes() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES), size = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && size > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(size) : 0;
}

/// Null for a layout of the model's own precision.
const LessPreciseRuntime* less_precise_of(const RuntimeOptions& options, const RuntimeLayout& layout) {
  const auto is_it = [&](const LessPreciseRuntime& lower) {
    return lower.backend == layout.backend && lower.precision == layout.precision;
  };
  const auto it = std::find_if(options.less_precise.begin(), options.less_precise.end(), is_it);
  return it == options.less_precise.end() ? nullptr : &*it;
}

std::string too_far(const std::string& output, double distance, double tolerance) {
  const std::string what = "output '" + output + "' ";
  if (!std::isfinite(distance)) return what + "is not finite where the reference's is, or the other way round";
  char text[96];
  std::snprintf(text, sizeof text, "%.3g of its largest value, more than the tolerance of %.3g", distance, tolerance);
  return what + "differs from the reference's by " + text;
}

class Trial {
 public:
  Trial(const RuntimeSubject& subject, std::span<const ModelFormat> formats, const BackendSource& backends,
        const LoadSettings& settings, const TrialSettings& trial, const std::atomic<bool>& stop)
      : subject_(subject),
        formats_(formats),
        backends_(backends),
        settings_(settings),
        trial_(trial),
        stop_(stop),
        timer_(settings.cores) {}

  Result<std::shared_ptr<const RuntimeKnowledge>> run() {
    MM_RETURN_IF_ERROR(load_all());
    MM_RETURN_IF_ERROR(ask_reference());
    for (Contender& contender : contenders_)
      if (contender.in()) compare(contender);
    for (int round = 0; round < trial_.rounds; ++round)
      for (Contender& contender : contenders_)
        if (contender.in() && (round == 0 || !far_behind(contender))) measure(contender);
    if (stop_) return cancelled("the comparison of runtimes was ended");
    auto out = std::make_shared<RuntimeKnowledge>();
    out->batching = batching_;
    out->report.tolerance = subject_.options.tolerance;
    for (Contender& contender : contenders_) out->report.candidates.push_back(std::move(contender.candidate));
    return std::shared_ptr<const RuntimeKnowledge>(std::move(out));
  }

 private:
  std::vector<RuntimeLayout> layouts() const {
    const ModelDefinition& definition = subject_.definition;
    const int threads = definition.instance_threads > 0 ? definition.instance_threads : settings_.instance_threads;
    int instances = settings_.instances;
    if (const auto& groups = definition.instance_groups; !groups.empty() && groups.front().count > 0)
      instances = groups.front().count;
    if (definition.instance_range.max || settings_.instance_limits.max > 0) instances = std::max(instances, 1);
    std::vector<RuntimeLayout> out;
    for (const std::string& backend : subject_.options.backends)
      for (RuntimeLayout& layout : layouts_to_try(backend, settings_.cores, threads, instances))
        out.push_back(std::move(layout));
    for (const LessPreciseRuntime& lower : subject_.options.less_precise)
      for (RuntimeLayout& layout : layouts_to_try(lower.backend, settings_.cores, threads, instances)) {
        layout.precision = lower.precision;
        out.push_back(std::move(layout));
        if (!lower.problem.empty()) break;  // once is enough to tell it
      }
    return out;
  }

  Status load_all() {
    const std::vector<RuntimeLayout> all = layouts();
    const uint64_t needed = bytes_on_disk(subject_.version) * (all.size() + 1);
    if (const uint64_t free = free_bytes(); needed > free / 2)
      return failed_precondition("its runtimes aren't compared: that may take " + std::to_string(needed >> 20) +
                                 " MiB, and " + std::to_string(free >> 20) + " MiB of memory are free");
    for (const RuntimeLayout& layout : all) {
      if (stop_) return cancelled("the comparison of runtimes was ended");
      const bool first = contenders_.empty();
      MM_RETURN_IF_ERROR(load(layout));
      if (first && !contenders_.front().in()) return failed_precondition(contenders_.front().candidate.excluded);
    }
    return ok_status();
  }

  Status load(const RuntimeLayout& layout) {
    Contender contender;
    contender.candidate.layout = layout;
    contender.less_precise = less_precise_of(subject_.options, layout);
    if (contender.less_precise != nullptr && !contender.less_precise->problem.empty()) {
      contender.candidate.runtime = contender.less_precise->runtime;
      contender.candidate.excluded = contender.less_precise->problem;
      contenders_.push_back(std::move(contender));
      return ok_status();
    }
    LaidOut laid = lay_out(subject_.definition, settings_, subject_.options, layout, batching_);
    laid.settings.cost_directory.clear();
    laid.settings.measure_budget = {};
    auto loaded =
        load_version(subject_.found, subject_.version, std::move(laid.definition), formats_, backends_, laid.settings);
    if (!loaded.ok()) {
      contender.candidate.excluded = loaded.status().message();
      contenders_.push_back(std::move(contender));
      return ok_status();
    }
    contender.loaded = *std::move(loaded);
    contender.candidate.runtime = contender.loaded.runtime;
    if (contenders_.empty()) {
      if (contender.loaded.description.definition.decoupled || contender.loaded.model->info().stateful)
        return failed_precondition("its answers can't be compared: it is decoupled or keeps state");
      batching_ = contender.loaded.batching;
      open_size_ = contender.loaded.open_size;
    } else {
      contender.candidate.excluded = visible_difference(contenders_.front().loaded, contender.loaded);
    }
    const auto instances = static_cast<int>(contender.loaded.instances.size());
    contender.lanes = contender.loaded.plan.concurrent_execute ? layout.instances : instances;
    contenders_.push_back(std::move(contender));
    return ok_status();
  }

  bool batched() const { return contenders_.front().loaded.plan.has_batch_dimension; }
  int64_t max_rows() const { return std::max<int64_t>(contenders_.front().loaded.plan.max_batch_rows, 1); }

  std::vector<Result<TensorList>> ask(Contender& contender, const std::vector<DirectRequest>& requests) const {
    return run_directly(*contender.loaded.instances.front(), subject_.definition.name, subject_.version.version,
                        requests);
  }

  /// The rows of a request.
  int64_t rows_of(const TensorList& inputs) const {
    return batched() && !inputs.empty() && !inputs[0].shape.empty() ? inputs[0].shape[0] : 1;
  }

  /// One row, or one request of a model without a batch dimension, of random values: of the shape of the first sample,
  /// or of one that works.
  std::optional<TensorList> made_up(ValueRange range, int row, std::mt19937_64& random) const {
    const Signature& signature = contenders_.front().loaded.description.signature;
    if (subject_.samples.empty()) {
      if (!open_size_ && has_open_sizes(signature, batched())) return std::nullopt;
      return sample_inputs(signature, batched(), 1, open_size_.value_or(1), range, row, random);
    }
    TensorList out;
    for (const Tensor& input : subject_.samples.front()) {
      Shape shape = input.shape;
      if (batched() && !shape.empty()) shape[0] = 1;
      out.push_back(sample_tensor(input.name, input.dtype, shape, range, row, random));
    }
    return out;
  }

  /// Asks the reference; what it doesn't answer are no values for this model.
  void add_request(TensorList inputs) {
    const int64_t rows = rows_of(inputs);
    if (rows > max_rows()) return;
    DirectRequest request{std::move(inputs), rows};
    auto answer = std::move(ask(contenders_.front(), {request}).front());
    if (!answer.ok()) return;
    requests_.push_back(std::move(request));
    answers_.push_back(*std::move(answer));
  }

  Status ask_reference() {
    for (const TensorList& sample : subject_.samples) add_request(sample);
    real_ = requests_.size();
    std::mt19937_64 random(kTrialSeed);
    for (const ValueRange range : {ValueRange::kTame, ValueRange::kWide})
      for (int row = 0; row < kComparedRows; ++row)
        if (auto inputs = made_up(range, row, random)) add_request(*std::move(inputs));
    const auto one_row = std::find_if(requests_.begin(), requests_.end(), [](const auto& r) { return r.rows == 1; });
    if (one_row == requests_.end())
      return failed_precondition("its runtimes can't be compared: neither requests nor made-up inputs run alone");
    measured_ = *one_row;
    return ok_status();
  }

  /// The requests that a contender must answer as the reference does. Values that were made up say nothing of a file in
  /// another precision, which was made for those that come.
  size_t held_to(const Contender& contender) const {
    const bool other_file = contender.less_precise != nullptr && !contender.less_precise->file.empty();
    return other_file && real_ > 0 ? real_ : requests_.size();
  }

  /// Those of the first `count` that can run together.
  std::vector<size_t> batch(size_t count) const {
    std::vector<size_t> out;
    int64_t rows = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rows + requests_[i].rows > max_rows() || !same_row_shapes(requests_[i].inputs, measured_.inputs)) continue;
      rows += requests_[i].rows;
      out.push_back(i);
    }
    return out;
  }
  static bool same_row_shapes(const TensorList& a, const TensorList& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) {
      return x.name == y.name && x.shape.size() == y.shape.size() && !x.shape.empty() &&
             std::equal(x.shape.begin() + 1, x.shape.end(), y.shape.begin() + 1);
    });
  }

  void compare(Contender& contender) const {
    compare_answers(contender);
    RuntimeCandidate& candidate = contender.candidate;
    if (contender.in() && candidate.distance > subject_.options.tolerance)
      candidate.excluded = too_far(contender.worst, candidate.distance, subject_.options.tolerance);
  }

  void compare_answers(Contender& contender) const {
    const size_t count = held_to(contender);
    for (size_t i = 0; i < count && contender.in(); ++i)
      check_answer(contender, i, ask(contender, {requests_[i]}).front());
    const std::vector<size_t> together = batch(count);
    if (!contender.in() || together.size() < 2) return;
    std::vector<DirectRequest> requests;
    for (const size_t i : together) requests.push_back(requests_[i]);
    const auto answers = ask(contender, requests);
    for (size_t i = 0; i < together.size() && contender.in(); ++i) check_answer(contender, together[i], answers[i]);
  }

  void check_answer(Contender& contender, size_t index, const Result<TensorList>& answer) const {
    RuntimeCandidate& candidate = contender.candidate;
    if (!answer.ok()) {
      candidate.excluded = "it fails where the reference answers: " + answer.status().message();
      return;
    }
    const AnswerDistance distance = answer_distance(answers_[index], *answer);
    candidate.excluded = distance.problem;
    if (distance.relative <= candidate.distance) return;
    candidate.distance = distance.relative;
    contender.worst = distance.output;
  }

  double best_rate() const {
    double best = 0;
    for (const Contender& contender : contenders_) best = std::max(best, best_rate(contender));
    return best;
  }
  static double best_rate(const Contender& contender) {
    double best = 0;
    for (const RuntimeTiming& timing : contender.candidate.timings) best = std::max(best, timing.rows_per_second);
    return best;
  }
  bool far_behind(const Contender& contender) const { return best_rate(contender) < kFarBehind * best_rate(); }

  void measure(Contender& contender) const {
    auto& timings = contender.candidate.timings;
    double best = 0;
    int in_vain = 0;
    for (size_t i = 0; !stop_; ++i) {
      const int64_t rows = std::min(int64_t{1} << i, max_rows());
      const std::optional<double> rate = executions_per_second(contender, rows);
      if (!rate) return;
      const RuntimeTiming now{rows, *rate * static_cast<double>(rows), 1e3 * contender.lanes / *rate};
      // What else disturbed a run made it slower: the faster one is the runtime's.
      if (i >= timings.size())
        timings.push_back(now);
      else if (now.rows_per_second > timings[i].rows_per_second)
        timings[i] = now;
      in_vain = now.rows_per_second < kGain * best ? in_vain + 1 : 0;
      best = std::max(best, now.rows_per_second);
      const bool is_long = now.milliseconds > 1e3 * to_seconds(trial_.longest) / 2;
      const bool is_flat = now.milliseconds > 1e3 * to_seconds(trial_.slice) && in_vain >= kSizesInVain;
      if (rows >= max_rows() || is_long || is_flat || now.rows_per_second < kNotWorth * best) return;
    }
  }

  std::optional<double> executions_per_second(const Contender& contender, int64_t rows) const {
    const std::vector<DirectRequest> requests(static_cast<size_t>(rows), measured_);
    const auto execute = [&](int lane) {
      const auto& instances = contender.loaded.instances;
      BackendInstance& instance = *instances[static_cast<size_t>(lane) % instances.size()];
      const auto answers = run_directly(instance, subject_.definition.name, subject_.version.version, requests);
      return std::all_of(answers.begin(), answers.end(), [](const auto& answer) { return answer.ok(); });
    };
    return timer_.rate({contender.lanes, contender.candidate.layout.threads, execute}, trial_.slice, stop_);
  }

  const RuntimeSubject& subject_;
  const std::span<const ModelFormat> formats_;
  const BackendSource& backends_;
  const LoadSettings& settings_;
  const TrialSettings& trial_;
  const std::atomic<bool>& stop_;

  const SliceTimer timer_;
  std::vector<Contender> contenders_;  // the reference's first layout first
  std::optional<BatchingDecision> batching_;
  std::optional<int64_t> open_size_;
  std::vector<DirectRequest> requests_;  // the samples first
  size_t real_ = 0;                      // how many those are
  std::vector<TensorList> answers_;      // the reference's
  DirectRequest measured_;               // one row
};

}  // namespace

Result<std::shared_ptr<const RuntimeKnowledge>> compare_runtimes(
    const RuntimeSubject& subject, std::span<const ModelFormat> formats, const BackendSource& backends,
    const LoadSettings& settings, const TrialSettings& trial, const std::atomic<bool>& stop) {
  return Trial(subject, formats, backends, settings, trial, stop).run();
}

void lower_precision(LoadSettings& settings, const LessPreciseRuntime& runtime) {
  settings.precision = runtime.precision;
  settings.precision_file = runtime.file;
}

LaidOut lay_out(const ModelDefinition& definition, const LoadSettings& settings, const RuntimeOptions& options,
                const RuntimeLayout& layout, const std::optional<BatchingDecision>& batching) {
  LaidOut out{definition, settings};
  out.definition.backend = layout.backend;
  out.definition.platform.clear();
  if (out.definition.instance_threads == 0) out.definition.instance_threads = layout.threads;
  if (out.definition.instance_groups.empty() && settings.instance_limits.max == 0 && !definition.instance_range.max)
    out.settings.instances = layout.instances;
  if (!definition.max_batch_size) out.settings.batching = batching;
  if (const LessPreciseRuntime* lower = less_precise_of(options, layout)) lower_precision(out.settings, *lower);
  return out;
}

RuntimeLayout layout_of(const ModelDefinition& loaded, const LoadSettings& settings, size_t instances) {
  const int threads = loaded.instance_threads > 0 ? loaded.instance_threads : settings.instance_threads;
  return {loaded.backend, std::max(threads, 1), std::max(static_cast<int>(instances), 1)};
}

}  // namespace modelmill
