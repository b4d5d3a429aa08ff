#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lifecycle/testing/controller_rig.h"

namespace modelmill {

/// Model a can be run by "onnxruntime", slowly, and by "quick".
class ControllerRuntimesTest : public ControllerCoreTest {
 protected:
  ControllerRuntimesTest() {
    info_.signature.inputs = {{"x", DataType::kFp32, {-1, 1}, {"N", ""}, false}};
    info_.signature.outputs = {{"y", DataType::kFp32, {-1, 1}, {"N", ""}, false}};
    backends_.models["a"] = {info_, slow_twice()};
    backends_.others["quick"]["a"] = {info_, times(2)};
    file_ = folder_.write("a.onnx");
    settings_.cores = 2;
  }

  static FakeCompute times(float factor) {
    return [factor](const TensorList& inputs) -> Result<TensorList> {
      std::vector<float> values = floats_of(inputs[0]);
      for (float& value : values) value *= factor;
      return TensorList{fake_floats("y", inputs[0].shape, values)};
    };
  }
  static FakeCompute slow_twice() {
    return [](const TensorList& inputs) {
      const TimePoint until = Clock::now() + std::chrono::milliseconds(5);
      while (Clock::now() < until) std::this_thread::yield();
      return times(2)(inputs);
    };
  }

  std::unique_ptr<ControllerCore> serve() {
    auto core = std::make_unique<ControllerCore>(parts(), settings_, ControlSettings{}, 1);
    EXPECT_TRUE(core->load_sources({{file_}}).ok());
    return core;
  }
  std::shared_ptr<ModelVersion> version() { return catalog_.table()->find("a")->versions.front(); }
  std::string backend() { return version()->definition().backend; }

  /// Looks with some traffic before each but the first; a second lies between two.
  void be_used(ControllerCore& core, int looks = 1, int requests = 100) {
    core.watch_runtimes(now_);
    RequestTimes times;
    times.received = times.queued = times.compute_start = Clock::now();
    times.compute_end = times.received + std::chrono::milliseconds(10'000 / requests);
    for (int look = 0; look < looks; ++look) {
      for (int i = 0; i < requests; ++i) version()->stats().request_succeeded(times, 1);
      core.watch_runtimes(now_ += std::chrono::seconds(1));
    }
  }
  /// Until clients have been served for long enough that a change can be judged.
  static constexpr int kLong = 6;
  std::shared_ptr<const RuntimeReport> wait_for_report() {
    wait_for([&] { return version()->runtimes() != nullptr; });
    return version()->runtimes();
  }

  BackendModelInfo info_;
  std::string file_;
  LoadSettings settings_;
  TimePoint now_{std::chrono::hours(1)};
};

}  // namespace modelmill
