// Which of the runtimes that can run a version does: the whole way, with fakes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/runtimes_rig.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

TEST_F(ControllerRuntimesTest, TheFastestTakesOver) {
  const auto core = serve();
  EXPECT_EQ(backend(), "onnxruntime");
  be_used(*core);
  wait_for_report();
  EXPECT_EQ(version()->runtimes()->candidates.size(), 4U);  // two runtimes, one core or two an instance
  EXPECT_EQ(backend(), "onnxruntime");
  be_used(*core, kLong);
  wait_for([&] { return backend() == "quick"; });
  EXPECT_EQ(version()->runtimes()->chosen.backend, "quick");
  EXPECT_THAT(version()->runtimes()->reason, HasSubstr("times the rate of onnxruntime"));
  EXPECT_EQ(version()->definition().max_batch_size, 64);
  EXPECT_EQ(version()->version(), 1);
  core->shutdown();
  EXPECT_EQ(backends_.log.unloads, backends_.log.loads);
}

TEST_F(ControllerRuntimesTest, WhatServesClientsWorseIsTakenBack) {
  const auto core = serve();
  be_used(*core);
  wait_for_report();
  be_used(*core, kLong);
  wait_for([&] { return backend() == "quick"; });
  wait_for([&] {
    be_used(*core, 1, 80);
    return backend() == "onnxruntime";
  });
  const auto report = version()->runtimes();
  EXPECT_EQ(report->chosen.backend, "onnxruntime");
  EXPECT_THAT(report->reason, HasSubstr("promised more, but clients got 0.80 times"));
  EXPECT_THAT(report->candidates[2].seen + report->candidates[3].seen, HasSubstr("so it was taken back"));
  core->shutdown();
  EXPECT_EQ(backends_.log.unloads, backends_.log.loads);
}

TEST_F(ControllerRuntimesTest, WhatServesClientsBetterIsShown) {
  const auto core = serve();
  be_used(*core);
  wait_for_report();
  be_used(*core, kLong);
  wait_for([&] { return backend() == "quick"; });
  wait_for([&] {
    be_used(*core, 1, 200);
    const auto report = version()->runtimes();
    return !(report->candidates[2].seen + report->candidates[3].seen).empty();
  });
  EXPECT_EQ(backend(), "quick");
  core->shutdown();
}

TEST_F(ControllerRuntimesTest, WithoutRequestsNothingIsCompared) {
  const auto core = serve();
  for (int i = 0; i < 10; ++i) core->watch_runtimes(now_ += std::chrono::seconds(1));
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
}

TEST_F(ControllerRuntimesTest, OneThatAnswersDifferentlyIsOut) {
  backends_.others["quick"]["a"].compute = times(2.01F);
  const auto core = serve();
  be_used(*core);
  const auto report = wait_for_report();
  be_used(*core, kLong);
  EXPECT_EQ(backend(), "onnxruntime");
  core->shutdown();
  for (const RuntimeCandidate& candidate : report->candidates)
    EXPECT_EQ(candidate.excluded, candidate.layout.backend == "quick"
                                      ? "output 'y' differs from the reference's by 0.005 of its largest value, more "
                                        "than the tolerance of 0.0001"
                                      : "");
  EXPECT_NEAR(report->candidates.back().distance, 0.005, 1e-4);
}

TEST_F(ControllerRuntimesTest, WhatClientsSendIsComparedToo) {
  // Random values are below 2 in size, and integers below 10.
  const FakeCompute twice = times(2);
  backends_.others["quick"]["a"].compute = [twice](const TensorList& inputs) -> Result<TensorList> {
    for (const float value : floats_of(inputs[0]))
      if (value > 100) return invalid_argument("too large");
    return twice(inputs);
  };
  const auto core = serve();
  InferRequest request(nullptr);
  request.inputs.push_back(fake_floats("x", {2, 1}, {1, 1000}));
  version()->samples().offer(request);
  be_used(*core);
  const auto report = wait_for_report();
  core->shutdown();
  EXPECT_EQ(report->candidates.front().excluded, "");
  EXPECT_EQ(report->candidates.back().excluded, "it fails where the reference answers: too large");
}

TEST_F(ControllerRuntimesTest, OneWithAnotherSignatureIsOut) {
  backends_.others["quick"]["a"].info.signature.outputs[0].name = "z";
  const auto core = serve();
  be_used(*core);
  const auto report = wait_for_report();
  core->shutdown();
  EXPECT_THAT(report->candidates.back().excluded, HasSubstr("output 'y'"));
}

TEST_F(ControllerRuntimesTest, OneWithoutAnEntryPointThatClientsMayNameIsOut) {
  FakeModelParts& own = backends_.models["a"];
  own.info.signature_name = "first";
  own.info.other_signatures = {"second"};
  own.signatures["second"] = {info_, times(3)};
  own.signatures["second"].info.signature_name = "second";
  FakeModelParts& quick = backends_.others["quick"]["a"];
  const auto excluded = [&](const std::string& name, const std::string& method) {
    quick.info.signature_name = name;
    quick.info.signature_method = method;
    const auto core = serve();
    be_used(*core);
    const auto report = wait_for_report();
    core->shutdown();
    return report->candidates.back().excluded;
  };
  EXPECT_EQ(excluded("first", ""), "it does not run the model's signature 'second'");
  EXPECT_EQ(excluded("first", "predict"), "its signature's method is 'predict', not ''");
  EXPECT_EQ(excluded("", ""), "it runs the signature '', not 'first'");
}

TEST_F(ControllerRuntimesTest, OneThatDoesNotLoadIsOut) {
  backends_.others["quick"].clear();
  const auto core = serve();
  be_used(*core);
  const auto report = wait_for_report();
  core->shutdown();
  EXPECT_THAT(report->candidates.back().excluded, HasSubstr("corrupt"));
}

TEST_F(ControllerRuntimesTest, TheNextStartBeginsWithTheBest) {
  settings_.cost_directory = folder_ / "costs";
  {
    const auto core = serve();
    be_used(*core);
    wait_for_report();
    be_used(*core, kLong);
    wait_for([&] { return backend() == "quick"; });
    core->shutdown();
  }
  const int loads = backends_.log.loads;
  const auto core = serve();
  EXPECT_EQ(backend(), "quick");
  EXPECT_EQ(version()->definition().max_batch_size, 64);
  ASSERT_NE(version()->runtimes(), nullptr);
  be_used(*core, kLong);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, loads + 1);
}

TEST_F(ControllerRuntimesTest, AnotherContentOfTheFileIsComparedAnew) {
  settings_.cost_directory = folder_ / "costs";
  {
    const auto core = serve();
    be_used(*core);
    wait_for_report();
    be_used(*core, kLong);
    wait_for([&] { return backend() == "quick"; });
    core->shutdown();
  }
  folder_.write("a.onnx", "another");
  const auto core = serve();
  EXPECT_EQ(backend(), "onnxruntime");
  core->shutdown();
}

TEST_F(ControllerRuntimesTest, TheOperatorMayPinOne) {
  settings_.runtime = "quick";
  auto core = serve();
  EXPECT_EQ(backend(), "quick");
  be_used(*core);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
  settings_.runtime = "default";
  core.reset();
  core = serve();
  EXPECT_EQ(backend(), "onnxruntime");
  be_used(*core);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 2);
}

class ConfiguredRuntimesTest : public ControllerRuntimesTest {
 protected:
  std::unique_ptr<ControllerCore> serve(const std::string& config) {
    folder_.write("repository/a/1/model.onnx");
    folder_.write("repository/a/config.pbtxt", config);
    file_ = folder_ / "repository";
    return ControllerRuntimesTest::serve();
  }
};

TEST_F(ConfiguredRuntimesTest, ABackendThatIsNamedStays) {
  const auto core = serve(R"(backend: "onnxruntime")");
  be_used(*core);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
}

TEST_F(ConfiguredRuntimesTest, SoDoesOneWithSettings) {
  const auto core = serve(R"(parameters { key: "intra_op_thread_count" value { string_value: "2" } })");
  be_used(*core);
  core->shutdown();
  EXPECT_EQ(backends_.log.loads, 1);
}

TEST_F(ConfiguredRuntimesTest, AutoComparesAllTheSame) {
  const auto core = serve(R"(
    backend: "onnxruntime"
    parameters { key: "runtime" value { string_value: "auto" } }
    parameters { key: "runtime_tolerance" value { string_value: "0.01" } })");
  be_used(*core);
  const auto report = wait_for_report();
  core->shutdown();
  EXPECT_EQ(report->tolerance, 0.01);
}

TEST_F(ConfiguredRuntimesTest, ItsOwnWordCountsMoreThanTheOperators) {
  settings_.runtime = "default";
  const auto core = serve(R"(parameters { key: "runtime" value { string_value: "quick" } })");
  EXPECT_EQ(backend(), "quick");
  core->shutdown();
}

TEST_F(ConfiguredRuntimesTest, WhatMakesNoSenseIsAnError) {
  auto core = serve(R"(parameters { key: "runtime" value { string_value: "fastest" } })");
  EXPECT_THAT(reason("a"), HasSubstr("parameter 'runtime' is 'fastest', which can't run 'model.onnx' here"));
  core->shutdown();
  core.reset();
  core = serve(R"(parameters { key: "runtime_tolerance" value { string_value: "much" } })");
  EXPECT_THAT(reason("a"), HasSubstr("must be a number from 0 to 1"));
  core->shutdown();
}

TEST_F(ConfiguredRuntimesTest, WhatIsSetOfInstancesStays) {
  const auto core = serve(R"(instance_group { count: 3 kind: KIND_CPU })");
  be_used(*core);
  const auto report = wait_for_report();
  core->shutdown();
  for (const RuntimeCandidate& candidate : report->candidates) EXPECT_EQ(candidate.layout.instances, 3);
}

}  // namespace
}  // namespace modelmill
