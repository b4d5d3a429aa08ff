#include "lifecycle/batching_probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "tensor/float_element.h"

namespace modelmill {
namespace {

constexpr uint64_t kProbeSeed = 20'240'601;
constexpr int kRows = 3;
/// Rows of one execution where nobody set a bound, and the memory that such a batch may take.
constexpr int64_t kDefaultMaxBatch = 64;
constexpr int64_t kDefaultBatchBytes = int64_t{256} << 20;

std::string quoted(const std::string& name) { return "'" + name + "'"; }

std::string first_dimension_problem(const char* kind, const TensorSpec& spec) {
  const std::string what = kind + (" " + quoted(spec.name));
  if (spec.shape.empty()) return what + " is a scalar, without a dimension to batch along";
  if (spec.shape[0] != -1) return what + " has the fixed first dimension " + std::to_string(spec.shape[0]);
  return {};
}

bool has_name(const TensorSpec& spec) {
  return spec.symbols.size() == spec.shape.size() && !spec.symbols.empty() && !spec.symbols[0].empty();
}

std::string symbol_problem(const char* kind, const TensorSpec& spec, const std::string& symbol,
                           const std::string& symbol_of) {
  const std::string what = kind + (" " + quoted(spec.name));
  if (!has_name(spec))
    return "the first dimension of " + what + " has no name in the model file, so nothing says that it is a batch";
  if (!symbol.empty() && spec.symbols[0] != symbol)
    return "the first dimension of " + what + " is named " + quoted(spec.symbols[0]) + ", but that of " + symbol_of +
           " " + quoted(symbol);
  for (size_t i = 1; i < spec.symbols.size(); ++i)
    if (spec.symbols[i] == spec.symbols[0])
      return "dimension " + std::to_string(i) + " of " + what + " has the name of the first, " +
             quoted(symbol.empty() ? spec.symbols[0] : symbol);
  return {};
}

/// Relative tolerances; the 16-bit types have 11 and 8 significant bits.
double tolerance(DataType dtype) {
  switch (dtype) {
    case DataType::kFp16: return 4e-3;
    case DataType::kBf16: return 3e-2;
    default: return 1e-4;
  }
}

std::string float_difference(const Tensor& alone, const Tensor& batched) {
  const Bytes a = alone.contiguous(), b = batched.contiguous();
  const size_t count = std::min(a.size(), b.size()) / dtype_size(alone.dtype);
  double largest = 1;
  for (size_t i = 0; i < count; ++i)
    if (const double value = std::fabs(float_at(a, alone.dtype, i)); std::isfinite(value))
      largest = std::max(largest, value);
  const double relative = tolerance(alone.dtype);
  for (size_t i = 0; i < count; ++i) {
    const double x = float_at(a, alone.dtype, i), y = float_at(b, alone.dtype, i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::isfinite(x) && std::isfinite(y) && std::fabs(x - y) <= relative * std::fabs(x) + relative / 10 * largest)
      continue;
    return "is " + std::to_string(x) + " alone and " + std::to_string(y) + " in a batch";
  }
  return {};
}

std::string tensor_difference(const Tensor& alone, const Tensor& batched) {
  const std::string what = "output " + quoted(alone.name) + " of a row ";
  if (batched.dtype != alone.dtype) return what + "changes its type in a batch";
  if (!std::equal(alone.shape.begin(), alone.shape.end(), batched.shape.begin(), batched.shape.end()))
    return what + "has shape " + shape_text(dims(alone.shape)) + " alone and " + shape_text(dims(batched.shape)) +
           " in a batch";
  if (batched.byte_size() != alone.byte_size() && alone.dtype != DataType::kBytes)
    return what + "changes its size in a batch";
  if (is_float(alone.dtype)) {
    const std::string problem = float_difference(alone, batched);
    return problem.empty() ? problem : what + problem;
  }
  return alone.contiguous().view() == batched.contiguous().view() ? std::string()
                                                                  : what + "changes its values in a batch";
}

/// One try: rows of one size and one range of values.
struct Round {
  enum class Outcome { kAgrees, kDisagrees, kFails };
  Outcome outcome = Outcome::kFails;
  std::string reason;
  bool rows_differ = false;
  int64_t row_bytes = 0;
};

Round run_round(const Signature& signature, const BatchRunner& run, int64_t open_size, ValueRange range) {
  Round round;
  std::mt19937_64 random(kProbeSeed);
  std::vector<DirectRequest> rows;
  std::vector<TensorList> alone;
  for (int i = 0; i < kRows; ++i) {
    auto inputs = sample_inputs(signature, /*batched=*/true, 1, open_size, range, i, random);
    if (!inputs) {
      round.reason = "a row of it is too large to be tried out";
      return round;
    }
    rows.push_back({*std::move(inputs), 1});
    auto answer = std::move(run({rows.back()}).front());
    if (!answer.ok()) {
      round.reason = answer.status().message();
      return round;
    }
    alone.push_back(*std::move(answer));
  }
  round.row_bytes = total_bytes(rows[0].inputs) + total_bytes(alone[0]);
  auto together = run(rows);
  round.outcome = Round::Outcome::kDisagrees;
  for (int i = 0; i < kRows; ++i) {
    if (!together[i].ok()) {
      round.reason = "rows that run alone fail in a batch: " + together[i].status().message();
      return round;
    }
    round.reason = difference(alone[i], *together[i]);
    if (!round.reason.empty()) return round;
    if (i > 0 && !difference(alone[0], alone[i]).empty()) round.rows_differ = true;
  }
  round.outcome = Round::Outcome::kAgrees;
  return round;
}

std::span<const int64_t> sizes_to_try(const Signature& signature, bool batched) {
  const auto sizes = likely_sizes(signature);
  return has_open_sizes(signature, batched) ? sizes : sizes.first(1);
}

}  // namespace

std::string why_unbatchable(const Signature& signature, const BackendModelInfo& info) {
  if (info.stateful) return "its backend keeps state between requests";
  if (info.decoupled) return "it may give several answers to a request";
  if (signature.inputs.empty()) return "it has no input";
  if (signature.outputs.empty()) return "it has no output";
  std::string symbol, symbol_of;
  // With images an open first dimension is that of a batch, whether the file has a name for it or not.
  const bool of_images = std::all_of(signature.inputs.begin(), signature.inputs.end(), has_images);
  const auto check = [&](const char* kind, const std::vector<TensorSpec>& specs) {
    for (const TensorSpec& spec : specs) {
      if (std::string problem = first_dimension_problem(kind, spec); !problem.empty()) return problem;
      if (info.rows_independent || (of_images && !has_name(spec))) continue;
      if (std::string problem = symbol_problem(kind, spec, symbol, symbol_of); !problem.empty()) return problem;
      if (!symbol.empty()) continue;
      symbol = spec.symbols[0];
      symbol_of = kind + (" " + quoted(spec.name));
    }
    return std::string();
  };
  std::string problem = check("input", signature.inputs);
  return problem.empty() ? check("output", signature.outputs) : problem;
}

std::string difference(const TensorList& alone, const TensorList& batched) {
  if (alone.size() != batched.size()) return "the number of outputs changes in a batch";
  for (const Tensor& tensor : alone) {
    const auto other =
        std::find_if(batched.begin(), batched.end(), [&](const Tensor& t) { return t.name == tensor.name; });
    if (other == batched.end()) return "output " + quoted(tensor.name) + " is missing in a batch";
    if (std::string problem = tensor_difference(tensor, *other); !problem.empty()) return problem;
  }
  return {};
}

ProbeReport probe_batching(const Signature& signature, const BatchRunner& run) {
  ProbeReport report;
  std::string failure;
  for (const int64_t size : sizes_to_try(signature, /*batched=*/true)) {
    const Round tame = run_round(signature, run, size, ValueRange::kTame);
    if (tame.outcome == Round::Outcome::kFails) {
      if (failure.empty()) failure = tame.reason;
      continue;
    }
    report.open_size = size;
    report.row_bytes = tame.row_bytes;
    report.disagreement = tame.reason;
    if (tame.outcome == Round::Outcome::kDisagrees) return report;
    // Values that a model may well refuse (an index beyond its table); what it does not refuse must agree too.
    const Round wide = run_round(signature, run, size, ValueRange::kWide);
    if (wide.outcome == Round::Outcome::kDisagrees)
      report.disagreement = wide.reason;
    else if (!tame.rows_differ && !wide.rows_differ)
      report.disagreement = "it gave the same answer to different random rows, so trying it out proved nothing";
    return report;
  }
  report.disagreement = "it could not be tried out with made-up values (" + failure + ")";
  return report;
}

BatchingDecision try_batching(const Signature& signature, const BackendModelInfo& info, bool reshaped,
                              const BatchRunner& run) {
  BatchingDecision out;
  if (info.max_batch_size) {
    out.rows = *info.max_batch_size;
    if (out.rows == 0) out.why_not = "its code takes one request at a time";
    return out;
  }
  out.why_not = why_unbatchable(signature, info);
  if (out.why_not.empty() && reshaped)
    out.why_not = "its configuration reshapes whole tensors, batch dimension included";
  int64_t row_bytes = fixed_row_bytes(signature);
  if (out.why_not.empty() && !info.rows_independent) {
    const ProbeReport report = probe_batching(signature, run);
    out.why_not = report.disagreement;
    row_bytes = std::max(row_bytes, report.row_bytes);
    out.open_size = report.open_size;
  }
  out.rows = std::clamp<int64_t>(kDefaultBatchBytes / std::max<int64_t>(row_bytes, 1), 1, kDefaultMaxBatch);
  return out;
}

std::optional<int64_t> find_working_size(const Signature& signature, bool batched, const BatchRunner& run) {
  constexpr size_t kTries = 4;
  const auto sizes = sizes_to_try(signature, batched);
  for (const int64_t size : sizes.first(std::min(kTries, sizes.size()))) {
    std::mt19937_64 random(kProbeSeed);
    auto inputs = sample_inputs(signature, batched, 1, size, ValueRange::kTame, 0, random);
    if (inputs && run({{*std::move(inputs), 1}}).front().ok()) return size;
  }
  return std::nullopt;
}

}  // namespace modelmill
