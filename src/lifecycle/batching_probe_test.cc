#include "lifecycle/batching_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "lifecycle/testing/fake_backend.h"
#include "tensor/float16.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TensorSpec spec(const std::string& name, Shape shape, std::vector<std::string> symbols,
                DataType dtype = DataType::kFp32) {
  return {name, dtype, std::move(shape), std::move(symbols), false};
}

Tensor halves(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) {
    const uint16_t half = float_to_half(value);
    bytes.append(reinterpret_cast<const char*>(&half), sizeof half);
  }
  return {"y", DataType::kFp16, {1, static_cast<int64_t>(values.size())}, {Bytes::from_string(bytes)}};
}

struct FloatCase {
  std::vector<float> alone, batched;
  bool same;
};

TEST(Difference, FloatsWithinTolerance) {
  const FloatCase cases[] = {
      {{1, 2}, {1, 2}, true},        {{1}, {1.00005F}, true},
      {{1}, {1.001F}, false},        {{0}, {9e-6F}, true},
      {{0}, {1e-3F}, false},         {{1000, 0}, {1000, 5e-3F}, true},  // small beside the largest: cancellation
      {{1000, 0}, {1000, 1}, false}, {{kNan}, {kNan}, true},
      {{kNan}, {0}, false},          {{0}, {kNan}, false},
      {{kInf}, {kInf}, true},        {{kInf}, {-kInf}, false},
      {{kInf, 1}, {kInf, 2}, false}, {{-0.0F}, {0.0F}, true},
  };
  for (const FloatCase& c : cases) {
    const int64_t n = static_cast<int64_t>(c.alone.size());
    const std::string problem = difference({fake_floats("y", {1, n}, c.alone)}, {fake_floats("y", {1, n}, c.batched)});
    EXPECT_EQ(problem.empty(), c.same) << c.alone[0] << " " << c.batched[0] << ": " << problem;
  }
}

TEST(Difference, HalvesHaveWiderTolerance) {
  EXPECT_EQ(difference({halves({1})}, {halves({1.002F})}), "");
  EXPECT_NE(difference({halves({1})}, {halves({1.1F})}), "");
}

TEST(Difference, EverythingElseIsExact) {
  const auto ints = [](int64_t value) {
    return Tensor{"y", DataType::kInt64, {1}, {Bytes::copy_of({reinterpret_cast<const char*>(&value), sizeof value})}};
  };
  EXPECT_EQ(difference({ints(5)}, {ints(5)}), "");
  EXPECT_THAT(difference({ints(5)}, {ints(6)}), HasSubstr("output 'y' of a row changes its values"));
  const auto text = [](const std::string& t) { return Tensor{"y", DataType::kBytes, {1}, {Bytes::copy_of(t)}}; };
  EXPECT_EQ(difference({text(std::string("\1\0\0\0a", 5))}, {text(std::string("\1\0\0\0a", 5))}), "");
  EXPECT_NE(difference({text(std::string("\1\0\0\0a", 5))}, {text(std::string("\1\0\0\0b", 5))}), "");
}

TEST(Difference, OfForm) {
  const Tensor y = fake_floats("y", {1, 2}, {1, 2});
  EXPECT_THAT(difference({y}, {}), HasSubstr("number of outputs"));
  EXPECT_THAT(difference({y}, {fake_floats("z", {1, 2}, {1, 2})}), HasSubstr("'y' is missing"));
  EXPECT_THAT(difference({y}, {fake_floats("y", {2, 1}, {1, 2})}), HasSubstr("[1,2] alone and [2,1] in a batch"));
  EXPECT_EQ(difference({y, fake_floats("z", {1}, {3})}, {fake_floats("z", {1}, {3}), y}), "");
}

struct SymbolCase {
  const char* what;
  std::vector<TensorSpec> inputs, outputs;
  const char* reason;  // empty: batchable
};

TEST(WhyUnbatchable, Table) {
  const SymbolCase cases[] = {
      {"one symbol", {spec("x", {-1, 4}, {"N", ""})}, {spec("y", {-1}, {"N"})}, ""},
      {"two symbols",
       {spec("x", {-1, 4}, {"N", ""})},
       {spec("y", {-1}, {"M"})},
       "the first dimension of output 'y' is named 'M', but that of input 'x' 'N'"},
      {"two inputs",
       {spec("a", {-1}, {"N"}), spec("b", {-1}, {"L"})},
       {spec("y", {-1}, {"N"})},
       "input 'b' is named 'L'"},
      {"no name",
       {spec("x", {-1, 4}, {"", ""})},
       {spec("y", {-1}, {""})},
       "the first dimension of input 'x' has no name"},
      {"no names at all", {spec("x", {-1, 4}, {})}, {spec("y", {-1}, {})}, "has no name"},
      {"images", {spec("x", {-1, 3, -1, -1}, {})}, {spec("y", {-1, 2}, {})}, ""},
      {"images, channels last",
       {spec("a", {-1, 8, 8, 1}, {"", "", "", ""}), spec("b", {-1, 8, 8, 3}, {})},
       {spec("y", {-1}, {})},
       ""},
      {"images and something else",
       {spec("a", {-1, 3, 8, 8}, {}), spec("b", {-1, 4}, {})},
       {spec("y", {-1}, {})},
       "input 'a' has no name"},
      {"four dimensions that are no image's", {spec("x", {-1, 7, 8, 8}, {})}, {spec("y", {-1}, {})}, "has no name"},
      {"images, and one answer", {spec("x", {-1, 3, 8, 8}, {})}, {spec("y", {1}, {})}, "output 'y' has the fixed"},
      {"fixed", {spec("x", {1, 4}, {"", ""})}, {spec("y", {-1}, {"N"})}, "input 'x' has the fixed first dimension 1"},
      {"scalar", {spec("x", {-1}, {"N"}), spec("rate", {}, {})}, {spec("y", {-1}, {"N"})}, "input 'rate' is a scalar"},
      {"fixed output",
       {spec("x", {-1, 4}, {"N", ""})},
       {spec("y", {1}, {""})},
       "output 'y' has the fixed first dimension 1"},
      {"twice in one shape",
       {spec("x", {-1, -1}, {"N", "N"})},
       {spec("y", {-1}, {"N"})},
       "dimension 1 of input 'x' has the name of the first"},
      {"no input", {}, {spec("y", {-1}, {"N"})}, "no input"},
      {"no output", {spec("x", {-1}, {"N"})}, {}, "no output"},
  };
  for (const SymbolCase& c : cases) {
    const std::string reason = why_unbatchable({c.inputs, c.outputs}, {});
    if (*c.reason == 0)
      EXPECT_EQ(reason, "") << c.what;
    else
      EXPECT_THAT(reason, HasSubstr(c.reason)) << c.what;
  }
}

TEST(WhyUnbatchable, Capabilities) {
  const Signature unnamed{{spec("x", {-1, 4}, {})}, {spec("y", {-1}, {})}};
  BackendModelInfo info;
  info.rows_independent = true;
  EXPECT_EQ(why_unbatchable(unnamed, info), "");
  EXPECT_NE(why_unbatchable({{spec("x", {4}, {})}, unnamed.outputs}, info), "");
  info.stateful = true;
  EXPECT_NE(why_unbatchable(unnamed, info), "");
}

/// Runs a compute function through a fake instance.
ProbeReport probe(const Signature& signature, const FakeCompute& compute) {
  FakeLog log;
  FakeInstance instance(compute, log);
  return probe_batching(
      signature, [&](const std::vector<DirectRequest>& requests) { return run_directly(instance, "m", 1, requests); });
}

const Signature kRows{{spec("x", {-1, 4}, {"N", ""})}, {spec("y", {-1}, {"N"})}};

/// y[row] = f(row's four numbers).
FakeCompute by_row(std::function<float(const float*)> f) {
  return [f = std::move(f)](const TensorList& inputs) -> Result<TensorList> {
    const std::vector<float> x = floats_of(inputs[0]);
    std::vector<float> y;
    for (size_t i = 0; i + 4 <= x.size(); i += 4) y.push_back(f(&x[i]));
    const int64_t rows = static_cast<int64_t>(y.size());
    return TensorList{fake_floats("y", {rows}, y)};
  };
}

TEST(Probe, RowsByThemselvesAgree) {
  const ProbeReport report = probe(kRows, by_row([](const float* x) { return x[0] + 2 * x[3]; }));
  EXPECT_EQ(report.disagreement, "");
  EXPECT_EQ(report.row_bytes, 20);
  EXPECT_TRUE(report.open_size);
}

TEST(Probe, SequenceTakenForABatchIsCaught) {
  // [sequence, features]: each step adds to the ones before it.
  const ProbeReport report = probe(kRows, [](const TensorList& inputs) -> Result<TensorList> {
    const std::vector<float> x = floats_of(inputs[0]);
    std::vector<float> y;
    float state = 0;
    for (size_t i = 0; i < x.size(); i += 4) y.push_back(state = state / 2 + x[i]);
    const int64_t rows = static_cast<int64_t>(y.size());
    return TensorList{fake_floats("y", {rows}, y)};
  });
  EXPECT_THAT(report.disagreement, HasSubstr("output 'y' of a row is"));
}

TEST(Probe, ReductionOverRowsIsCaught) {
  const ProbeReport report = probe(kRows, [](const TensorList& inputs) -> Result<TensorList> {
    const std::vector<float> x = floats_of(inputs[0]);
    const float sum = std::accumulate(x.begin(), x.end(), 0.0F);
    const int64_t rows = static_cast<int64_t>(x.size() / 4);
    return TensorList{fake_floats("y", {rows}, std::vector<float>(static_cast<size_t>(rows), sum))};
  });
  EXPECT_NE(report.disagreement, "");
}

TEST(Probe, IntegerReductionIsCaught) {
  const Signature signature{{spec("x", {-1, 1}, {"N", ""}, DataType::kInt64)},
                            {spec("y", {-1}, {"N"}, DataType::kInt64)}};
  const ProbeReport report = probe(signature, [](const TensorList& inputs) -> Result<TensorList> {
    const Bytes bytes = inputs[0].contiguous();
    std::vector<int64_t> x(bytes.size() / 8);
    std::memcpy(x.data(), bytes.data(), bytes.size());
    const std::vector<int64_t> y(x.size(), *std::max_element(x.begin(), x.end()));
    return TensorList{{"y",
                       DataType::kInt64,
                       {static_cast<int64_t>(y.size())},
                       {Bytes::copy_of({reinterpret_cast<const char*>(y.data()), y.size() * 8})}}};
  });
  EXPECT_NE(report.disagreement, "");
}

TEST(Probe, RowsThatOnlyRunAloneAreCaught) {
  const ProbeReport report = probe(kRows, [](const TensorList& inputs) -> Result<TensorList> {
    if (inputs[0].shape[0] != 1) return invalid_argument("Reshape: cannot reshape 12 to 4");
    return TensorList{fake_floats("y", {1}, {floats_of(inputs[0])[0]})};
  });
  EXPECT_THAT(report.disagreement, HasSubstr("rows that run alone fail in a batch: Reshape"));
}

TEST(Probe, AnswersThatNeverChangeProveNothing) {
  const ProbeReport report = probe(kRows, by_row([](const float*) { return 1.0F; }));
  EXPECT_THAT(report.disagreement, HasSubstr("proved nothing"));
}

TEST(Probe, NanIsAnAnswer) {
  const Signature two{kRows.inputs, {spec("y", {-1}, {"N"})}};
  const ProbeReport report = probe(two, by_row([](const float* x) { return x[0] < 0.5F ? kNan : x[0]; }));
  EXPECT_EQ(report.disagreement, "");
}

TEST(Probe, FindsASizeThatWorks) {
  const Signature open{{spec("x", {-1, -1}, {"N", "width"})}, {spec("y", {-1}, {"N"})}};
  const ProbeReport report = probe(open, [](const TensorList& inputs) -> Result<TensorList> {
    const int64_t width = inputs[0].shape[1];
    if (width != 16) return invalid_argument("the width must be 16");
    const std::vector<float> x = floats_of(inputs[0]);
    std::vector<float> y;
    for (size_t i = 0; i < x.size(); i += 16) y.push_back(x[i]);
    const int64_t rows = static_cast<int64_t>(y.size());
    return TensorList{fake_floats("y", {rows}, y)};
  });
  EXPECT_EQ(report.disagreement, "");
  EXPECT_EQ(report.open_size, 16);
}

TEST(Probe, AModelThatNeverRunsIsNotBatched) {
  const ProbeReport report =
      probe(kRows, [](const TensorList&) -> Result<TensorList> { return invalid_argument("boom"); });
  EXPECT_THAT(report.disagreement, HasSubstr("could not be tried out with made-up values (boom)"));
  EXPECT_FALSE(report.open_size);
}

TEST(Probe, ValuesThatTheModelRefusesDoNotCount) {
  const Signature signature{{spec("ids", {-1, 2}, {"N", ""}, DataType::kInt32)}, {spec("y", {-1}, {"N"})}};
  const ProbeReport report = probe(signature, [](const TensorList& inputs) -> Result<TensorList> {
    const Bytes bytes = inputs[0].contiguous();
    std::vector<int32_t> ids(bytes.size() / 4);
    std::memcpy(ids.data(), bytes.data(), bytes.size());
    std::vector<float> y;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] > 1) return invalid_argument("index out of bounds");
      if (i % 2 == 0) y.push_back(static_cast<float>(ids[i]));
    }
    const int64_t rows = static_cast<int64_t>(y.size());
    return TensorList{fake_floats("y", {rows}, y)};
  });
  EXPECT_EQ(report.disagreement, "");
}

TEST(Probe, WhatTheModelSaysOfItselfNeedsNoTrial) {
  const Signature signature{{spec("x", {-1, 2}, {"batch", ""})}, {spec("y", {-1, 2}, {"batch", ""})}};
  const BatchRunner never = [](const std::vector<DirectRequest>&) -> std::vector<Result<TensorList>> {
    ADD_FAILURE() << "it was run";
    return {};
  };
  BackendModelInfo info;
  info.max_batch_size = 24;
  EXPECT_EQ(try_batching(signature, info, false, never).rows, 24);
  EXPECT_EQ(try_batching(signature, info, false, never).why_not, "");
  info.max_batch_size = 0;
  EXPECT_NE(try_batching(signature, info, false, never).why_not, "");
}

TEST(SampleInputs, AreValidForEveryType) {
  std::mt19937_64 random(1);
  for (int t = 1; t <= 14; ++t) {
    const Signature signature{{spec("x", {-1, 3, -1}, {}, static_cast<DataType>(t))}, {}};
    for (const ValueRange range : {ValueRange::kTame, ValueRange::kWide}) {
      const auto inputs = sample_inputs(signature, true, 2, 5, range, 1, random);
      ASSERT_TRUE(inputs);
      EXPECT_EQ(shape_text(dims((*inputs)[0].shape)), "[2,3,5]");
      EXPECT_TRUE(check_tensor_bytes((*inputs)[0]).ok());
    }
  }
  EXPECT_FALSE(sample_inputs({{spec("x", {int64_t{1} << 40}, {})}, {}}, false, 1, 1, ValueRange::kTame, 0, random));
}

}  // namespace
}  // namespace modelmill
