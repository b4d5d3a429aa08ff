#include "serve/trace/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/testing/temp_folder.h"
#include "serve/inference.h"
#include "serve/testing/fake_version.h"
#include "serve/trace/trace_text.h"

namespace modelmill {
namespace {

using testing::FakeCatalog;
using ::testing::HasSubstr;
using testing::RecordingSink;
using testing::simple_description;

std::string content(const std::string& file) {
  std::ifstream stream(file);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

Tensor row(const std::string& name, std::array<float, 4> values) {
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = DataType::kFp32;
  tensor.shape = {1, 4};
  tensor.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(values.data()), sizeof values}));
  return tensor;
}

class TracerTest : public ::testing::Test {
 protected:
  void start(const TraceSettings& settings) {
    tracer_.emplace(settings, file());
    inference_.emplace(catalog_.catalog(), nullptr, nullptr, &*tracer_);
    for (const char* model : {"a", "b"})
      catalog_.add(simple_description(model, 3), [model](InferRequestPtr request) {
        request->times.queued = TimePoint(std::chrono::seconds(20));
        request->times.compute_start = TimePoint(std::chrono::seconds(30));
        if (model == std::string_view("b")) request->times.batch = {8, CutReason::kDelayOver};
        testing::echo(simple_description(model, 3), std::move(request));
      });
  }
  std::string file() const { return folder_ / "trace.json"; }

  void ask(const std::string& model, int times = 1, const std::string& id = "") {
    for (int i = 0; i < times; ++i) {
      auto request = std::make_unique<InferRequest>(std::make_shared<RecordingSink>());
      request->model = model;
      request->id = id;
      request->times.received = TimePoint(std::chrono::seconds(10));
      request->inputs.push_back(row("x", {1, 2.5, -3, 0}));
      inference_->submit(std::move(request));
    }
  }
  TraceSettings settings(const std::string& model = "") { return tracer_->settings(model); }

  TempFolder folder_;
  FakeCatalog catalog_;
  std::optional<Tracer> tracer_;
  std::optional<Inference> inference_;
};

TEST_F(TracerTest, WritesTheTimesOfARequest) {
  start({kTraceTimestamps, 1, -1, 0});
  ask("a", 1, "say \"hi\"");
  EXPECT_FALSE(std::filesystem::exists(file()));
  tracer_->stop();
  EXPECT_THAT(content(file()),
              ::testing::StartsWith(R"([{"id":1,"model_name":"a","model_version":3,"request_id":"say \"hi\""},)"
                                    R"({"id":1,"timestamps":[{"name":"REQUEST_START","ns":10000000000}]},)"
                                    R"({"id":1,"timestamps":[{"name":"QUEUE_START","ns":20000000000}]},)"
                                    R"({"id":1,"timestamps":[{"name":"COMPUTE_START","ns":30000000000}]},)"
                                    R"({"id":1,"timestamps":[{"name":"COMPUTE_END","ns":)"));
  EXPECT_THAT(content(file()), HasSubstr(R"({"name":"REQUEST_END","ns":)"));
  EXPECT_TRUE(content(file()).ends_with("}]}]"));
  EXPECT_EQ(count(content(file()), "tensor"), 0);
}

TEST_F(TracerTest, WritesTheBatchThatARequestRanIn) {
  start({kTraceTimestamps, 1, -1, 0});
  ask("b");
  tracer_->stop();
  EXPECT_THAT(content(file()),
              HasSubstr(R"({"id":1,"timestamps":[{"name":"COMPUTE_START","ns":30000000000,)"
                        R"("batch_size":8,"cut_reason":"delay over"}]},{"id":1,"timestamps":[{"name":"COMPUTE_END")"));
  EXPECT_EQ(count(content(file()), "batch_size"), 1);
}

TEST_F(TracerTest, WritesTensors) {
  start({kTraceTensors, 1, -1, 0});
  ask("a");
  tracer_->stop();
  EXPECT_EQ(
      content(file()),
      R"([{"id":1,"model_name":"a","model_version":3},)"
      R"({"id":1,"activity":"TENSOR_QUEUE_INPUT","tensor":{"name":"x","data":"1.0,2.5,-3.0,0.0","shape":"1,4","dtype":"FP32"}},)"
      R"({"id":1,"activity":"TENSOR_BACKEND_OUTPUT","tensor":{"name":"y","data":"1.0,2.5,-3.0,0.0","shape":"1,4","dtype":"FP32"}}])");
}

TEST_F(TracerTest, SamplesOneOfSoMany) {
  start({kTraceTimestamps, 3, -1, 0});
  ask("a", 10);
  tracer_->stop();
  EXPECT_EQ(count(content(file()), "REQUEST_START"), 3);
}

TEST_F(TracerTest, SamplesNoMoreThanTheCount) {
  start({kTraceTimestamps, 1, 2, 0});
  ask("a");
  EXPECT_EQ(settings().count, 1);
  ask("a", 9);
  EXPECT_EQ(settings().count, 0);
  tracer_->stop();
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_EQ(count(content(file() + ".0"), "REQUEST_START"), 2);
}

TEST_F(TracerTest, NumbersFilesBySoManyTraces) {
  start({kTraceTimestamps, 1, -1, 4});
  ask("a", 10);
  tracer_->stop();
  EXPECT_EQ(count(content(file() + ".0"), "REQUEST_START"), 4);
  EXPECT_EQ(count(content(file() + ".1"), "REQUEST_START"), 4);
  EXPECT_EQ(count(content(file() + ".2"), "REQUEST_START"), 2);
  EXPECT_THAT(content(file() + ".2"), HasSubstr("\"id\":9,\"model_name\""));
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(TracerTest, OneFileIsWrittenWhileItGrows) {
  start({kTraceTensors, 1, -1, 0});
  ask("a", 2000);
  tracer_->stop();
  const std::string text = content(file());
  EXPECT_GT(text.size(), 256u * 1024);
  EXPECT_EQ(count(text, "\"model_name\""), 2000);
  EXPECT_EQ(count(text, "[{"), 1);
  EXPECT_EQ(count(text, "}{"), 0);
  EXPECT_EQ(count(text, ",,"), 0);
}

TraceChange change(std::optional<uint8_t> level, std::optional<uint32_t> rate = {}) {
  TraceChange change;
  if (level) change.level.set(*level);
  if (rate) change.rate.set(*rate);
  return change;
}

TEST_F(TracerTest, AModelHasItsOwnSettings) {
  start({kTraceOff, 1, -1, 0});
  ask("a", 3);
  EXPECT_TRUE(tracer_->update("a", change(kTraceTimestamps)).ok());
  ask("a", 3);
  ask("b", 3);
  // What the model has not said is as for all.
  EXPECT_TRUE(tracer_->update("", change({}, 7)).ok());
  EXPECT_EQ(settings("a"), (TraceSettings{kTraceTimestamps, 7, -1, 0}));
  EXPECT_TRUE(tracer_->update("a", change({}, 2)).ok());
  EXPECT_TRUE(tracer_->update("", change({}, 9)).ok());
  EXPECT_EQ(settings("a").rate, 2u);
  EXPECT_EQ(settings("b"), (TraceSettings{kTraceOff, 9, -1, 0}));
  // And is so again once it is cleared.
  TraceChange clear;
  clear.rate.clear();
  EXPECT_TRUE(tracer_->update("a", clear).ok());
  EXPECT_EQ(settings("a").rate, 9u);
  clear.level.clear();
  EXPECT_TRUE(tracer_->update("a", clear).ok());
  EXPECT_EQ(settings("a"), settings());
  EXPECT_TRUE(tracer_->update("", clear).ok());
  EXPECT_EQ(settings(), (TraceSettings{kTraceOff, 1, -1, 0}));  // as the server was started
  tracer_->stop();
  EXPECT_EQ(count(content(file()), "\"model_name\":\"a\""), 3);
  EXPECT_EQ(count(content(file()), "\"model_name\":\"b\""), 0);
}

TEST_F(TracerTest, RefusesWhatCannotBe) {
  start({kTraceOff, 1, -1, 0});
  EXPECT_EQ(tracer_->update("", change(kTraceTimestamps, 0)).message(),
            "Attempting to set invalid trace setting :sample rate must be non-zero");
  EXPECT_EQ(settings(), (TraceSettings{kTraceOff, 1, -1, 0}));
  // A model that is traced by the rate of all.
  EXPECT_TRUE(tracer_->update("a", change(kTraceTimestamps)).ok());
  EXPECT_FALSE(tracer_->update("", change({}, 0)).ok());
  EXPECT_EQ(settings().rate, 1u);
  Tracer without({}, "");
  EXPECT_THAT(without.update("", change(kTraceTimestamps)).message(), HasSubstr("trace file name is not given"));
}

TEST_F(TracerTest, ATraceGoesOnWhenSettingsChange) {
  start({kTraceTimestamps, 1, -1, 0});
  InferRequestPtr waiting;
  catalog_.add(simple_description("slow"), [&](InferRequestPtr request) { waiting = std::move(request); });
  ask("slow");
  EXPECT_TRUE(tracer_->update("", change(kTraceOff)).ok());
  testing::echo(simple_description("slow"), std::move(waiting));
  tracer_->stop();
  EXPECT_EQ(count(content(file()), "REQUEST_END"), 1);
}

TEST(TraceSamplerTest, ANumberedFileTakesNoMoreThanSoMuch) {
  const TempFolder folder;
  const auto file = std::make_shared<TraceFile>(folder / "trace.json");
  TraceSampler sampler({kTraceTensors, 1, -1, 1'000'000}, file);
  const std::string half(size_t{8} << 20, ' ');
  sampler.collect(half);
  sampler.collect(half);
  sampler.collect("{}");
  file->close();
  EXPECT_EQ(content(folder / "trace.json.0").size(), (size_t{16} << 20) + 3);
}

TEST(TraceFileTest, WhatCannotWaitIsDropped) {
  const TempFolder folder;
  TraceFile file(folder / "trace.json");
  file.add(std::string((size_t{64} << 20) + 1, ' '));
  file.add("{}");
  file.close();
  EXPECT_EQ(content(folder / "trace.json"), "[{}]");
}

TEST(TraceTextTest, EveryType) {
  const auto data = [](DataType dtype, std::string bytes, Shape shape) {
    Tensor tensor;
    tensor.name = "t";
    tensor.dtype = dtype;
    tensor.shape = std::move(shape);
    tensor.data.push_back(Bytes::copy_of(bytes));
    TraceText text(1, "m", 1, "");
    text.tensor("A", tensor);
    const std::string all = text.take();
    const size_t begin = all.find("\"data\":\"") + 8;
    return all.substr(begin, all.find("\",\"shape\"") - begin);
  };
  using std::string_literals::operator""s;
  EXPECT_EQ(data(DataType::kBool, "\1\0"s, {2}), "1,0");
  EXPECT_EQ(data(DataType::kUint8, "\xff\1"s, {2}), "255,1");
  EXPECT_EQ(data(DataType::kInt8, "\xff\1"s, {2}), "-1,1");
  EXPECT_EQ(data(DataType::kInt32, "\1\0\0\0\xff\xff\xff\xff"s, {2}), "1,-1");
  EXPECT_EQ(data(DataType::kUint64, std::string(8, '\xff'), {1}), "18446744073709551615");
  EXPECT_EQ(data(DataType::kFp16, "\0\x3c"s, {1}), "1.0");
  EXPECT_EQ(data(DataType::kBf16, "\x80\x3f"s, {1}), "1.0");
  EXPECT_EQ(data(DataType::kBytes, "\1\0\0\0a\0\0\0\0"s, {2}), R"(\"a\",\"\")");
  EXPECT_EQ(data(DataType::kBytes, "\5\0\0\0a"s, {1}), "");  // shorter than it says
  EXPECT_EQ(data(DataType::kFp32, "", {0}), "");
}

}  // namespace
}  // namespace modelmill
