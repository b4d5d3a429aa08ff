// Lower precisions than a model's own, where the user allows them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/runtimes_rig.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

/// Model a is run by "onnxruntime" alone, slowly; "onnxruntime" computes in bf16, too, quickly and less precisely.
class ControllerPrecisionsTest : public ControllerRuntimesTest {
 protected:
  ControllerPrecisionsTest() {
    backends_.others.clear();
    backends_.lower["onnxruntime"]["bf16"]["a"] = {info_, times(2.01F)};
    settings_.runtime_precisions = {"bf16"};
    settings_.runtime_tolerance = 0.01;
  }

  /// Of all its layouts in that precision.
  static std::vector<RuntimeCandidate> in(const std::string& precision, const RuntimeReport& report) {
    std::vector<RuntimeCandidate> out;
    for (const RuntimeCandidate& candidate : report.candidates)
      if (candidate.layout.precision == precision) out.push_back(candidate);
    return out;
  }
  std::shared_ptr<const RuntimeReport> report() {
    const auto core = serve();
    be_used(*core);
    auto found = wait_for_report();
    core->shutdown();
    return found;
  }
  std::string precision_that_runs() { return version()->runtimes()->chosen.precision; }
  void be_used_until_it_changed(ControllerCore& core) {
    be_used(core);
    wait_for_report();
    be_used(core, kLong);
    wait_for([&] { return !precision_that_runs().empty(); });
  }
};

TEST_F(ControllerPrecisionsTest, OneThatIsFasterAndWithinTheToleranceTakesOver) {
  const auto core = serve();
  be_used_until_it_changed(*core);
  EXPECT_EQ(precision_that_runs(), "bf16");
  EXPECT_EQ(backends_.log.load_arguments.back().precision, "bf16");
  const auto found = in("bf16", *version()->runtimes());
  core->shutdown();
  ASSERT_EQ(found.size(), 2U);  // one core or two an instance
  EXPECT_NEAR(found[0].distance, 0.005, 1e-4);
  EXPECT_EQ(found[0].excluded, "");
  EXPECT_EQ(backends_.log.unloads, backends_.log.loads);
}

TEST_F(ControllerPrecisionsTest, OneBeyondTheToleranceIsOutWithTheNumbers) {
  settings_.runtime_tolerance = 0.001;
  const auto found = in("bf16", *report());
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].excluded,
            "output 'y' differs from the reference's by 0.005 of its largest value, more than the tolerance of 0.001");
  EXPECT_NEAR(found[0].distance, 0.005, 1e-4);
  EXPECT_TRUE(found[0].timings.empty());
}

TEST_F(ControllerPrecisionsTest, TheWorstDifferenceIsTold) {
  // The first requests are fine, and a later one is far away.
  const FakeCompute twice = times(2), more = times(3);
  backends_.lower["onnxruntime"]["bf16"]["a"].compute = [=](const TensorList& inputs) -> Result<TensorList> {
    return floats_of(inputs[0])[0] > 100 ? more(inputs) : times(2.05F)(inputs);
  };
  const auto core = serve();
  for (const float value : {1.0F, 1000.0F, 2.0F}) {
    InferRequest request(nullptr);
    request.inputs.push_back(fake_floats("x", {1, 1}, {value}));
    version()->samples().offer(request);
  }
  be_used(*core);
  const auto found = in("bf16", *wait_for_report());
  core->shutdown();
  EXPECT_NEAR(found[0].distance, 0.5, 1e-3);
  EXPECT_THAT(found[0].excluded, HasSubstr("by 0.5 of its largest value"));
}

TEST_F(ControllerPrecisionsTest, NothingIsLoweredThatWasNotAllowed) {
  settings_.runtime_precisions.clear();
  const auto core = serve();
  be_used(*core, kLong);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
}

TEST_F(ControllerPrecisionsTest, OneThatDoesNotLoadSaysWhy) {
  backends_.lower["onnxruntime"]["bf16"].clear();
  const auto found = in("bf16", *report());
  ASSERT_FALSE(found.empty());
  EXPECT_THAT(found[0].excluded, HasSubstr("corrupt"));
}

TEST_F(ControllerPrecisionsTest, WhatNothingCanComputeIsTold) {
  settings_.runtime_precisions = {"int8"};
  const auto found = in("int8", *report());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].excluded,
            "no runtime that is installed computes it in int8 by itself, and beside its file there is no "
            "'a.int8.onnx'");
}

TEST_F(ControllerPrecisionsTest, AFileBesideTheModelIsHeldToWhatClientsSend) {
  settings_.runtime_precisions = {"int8"};
  folder_.write("a.int8.onnx");
  // Right for what clients send, and not for the values that would be made up.
  const FakeCompute right = times(2), wrong = times(7);
  backends_.files["a.int8.onnx"] = {info_, [=](const TensorList& inputs) -> Result<TensorList> {
                                      return floats_of(inputs[0])[0] > 100 ? right(inputs) : wrong(inputs);
                                    }};
  const auto core = serve();
  for (int i = 0; i < 3; ++i) {
    InferRequest request(nullptr);
    request.inputs.push_back(fake_floats("x", {2, 1}, {1000, 1001}));
    version()->samples().offer(request);
  }
  be_used(*core);
  const auto found = in("int8", *wait_for_report());
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].excluded, "");
  EXPECT_EQ(found[0].distance, 0);
  be_used(*core, kLong);
  wait_for([&] { return precision_that_runs() == "int8"; });
  EXPECT_THAT(backends_.log.load_arguments.back().file, HasSubstr("a.int8.onnx"));
  EXPECT_EQ(backends_.log.load_arguments.back().precision, "");
  core->shutdown();
}

TEST_F(ControllerPrecisionsTest, TheNextStartBeginsWithTheBestWithinTheSameTolerance) {
  settings_.cost_directory = folder_ / "costs";
  {
    const auto core = serve();
    be_used_until_it_changed(*core);
    core->shutdown();
  }
  {
    const auto core = serve();
    EXPECT_EQ(backends_.log.load_arguments.back().precision, "bf16");
    core->shutdown();
  }
  settings_.runtime_tolerance = 0.001;
  auto core = serve();
  EXPECT_EQ(backends_.log.load_arguments.back().precision, "");
  core->shutdown();
  core.reset();
  settings_.runtime_tolerance = 0.01;
  settings_.runtime_precisions = {"bf16", "fp16"};
  core = serve();
  EXPECT_EQ(backends_.log.load_arguments.back().precision, "");
  core->shutdown();
}

TEST_F(ControllerPrecisionsTest, OneMayBePinned) {
  settings_.runtime = "onnxruntime:bf16";
  const auto core = serve();
  EXPECT_EQ(backends_.log.load_arguments.back().precision, "bf16");
  be_used(*core, kLong);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
}

class ConfiguredPrecisionsTest : public ControllerPrecisionsTest {
 protected:
  std::unique_ptr<ControllerCore> serve(const std::string& parameters) {
    folder_.write("repository/a/1/model.onnx");
    folder_.write("repository/a/config.pbtxt", "backend: \"onnxruntime\"\n" + parameters);
    file_ = folder_ / "repository";
    return ControllerPrecisionsTest::serve();
  }
  static std::string parameter(const std::string& name, const std::string& value) {
    return "parameters { key: \"" + name + "\" value { string_value: \"" + value + "\" } }\n";
  }
};

TEST_F(ConfiguredPrecisionsTest, AModelsOwnWordAsksForTheComparison) {
  settings_ = {};
  settings_.cores = 2;
  const auto core = serve(parameter("runtime_precisions", "bf16") + parameter("runtime_tolerance", "0.02"));
  be_used(*core);
  const auto report = wait_for_report();
  core->shutdown();
  EXPECT_EQ(report->tolerance, 0.02);
  EXPECT_EQ(in("bf16", *report).size(), 2U);
}

TEST_F(ConfiguredPrecisionsTest, WithoutAToleranceNoneIsAllowed) {
  settings_ = {};
  const auto core = serve(parameter("runtime_precisions", "bf16"));
  EXPECT_THAT(reason("a"), HasSubstr("nothing says by how much answers may differ; set runtime_tolerance"));
  core->shutdown();
}

TEST_F(ConfiguredPrecisionsTest, WhatMakesNoSenseIsAnError) {
  auto core = serve(parameter("runtime_precisions", "bf16,int4"));
  EXPECT_THAT(reason("a"), HasSubstr("'int4' is no precision; there are bf16, fp16 and int8"));
  core->shutdown();
  core.reset();
  core = serve(parameter("runtime", "onnxruntime:int8"));
  EXPECT_THAT(reason("a"), HasSubstr("which can't run 'model.onnx' here: no runtime that is installed computes it"));
  core->shutdown();
  core.reset();
  core = serve(parameter("runtime", "onnxruntime:"));
  EXPECT_THAT(reason("a"), HasSubstr("must name one precision after the colon"));
  core->shutdown();
}

TEST_F(ConfiguredPrecisionsTest, AModelMayAllowNone) {
  const auto core = serve(parameter("runtime_precisions", ""));
  be_used(*core, kLong);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
}

}  // namespace
}  // namespace modelmill
