#include "serve/shadow_sample.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "request/background.h"
#include "route/routes.h"
#include "serve/testing/fake_version.h"

namespace modelmill {
namespace {

std::shared_ptr<const Route> route_of(Routes& routes, const std::string& shadows) {
  routes.publish({parse_route(R"({"split": {"a": 50, "b": 50}, "shadow": )" + shadows + "}", "r").value()});
  return routes.find("r");
}

class ShadowSampleTest : public ::testing::Test {
 protected:
  InferRequestPtr request(Bytes data) {
    auto made = std::make_unique<InferRequest>(std::make_shared<testing::RecordingSink>());
    made->id = "7";
    made->parameters.set("p", int64_t{1});
    const auto size = static_cast<int64_t>(data.size());
    made->inputs.push_back({"x", DataType::kUint8, {size}, {std::move(data)}});
    made->outputs.push_back({"y", 3});
    return made;
  }

  MetricRegistry metrics_;
  Routes routes_{metrics_};
};

TEST_F(ShadowSampleTest, ChanceDecidesForEachShadow) {
  const auto route =
      route_of(routes_, R"([{"target": "b", "share": "10%"}, {"target": "c", "share": 0}, {"target": "d"}])");
  const auto made = request({});
  using Chosen = std::vector<size_t>;
  EXPECT_EQ(ShadowSample::choose(*route, 0, *made, [] { return 0.0999; }), (Chosen{0, 2}));
  EXPECT_EQ(ShadowSample::choose(*route, 0, *made, [] { return 0.1; }), Chosen{2});
  EXPECT_EQ(ShadowSample::choose(*route, 0, *made, [] { return 0.0; }), (Chosen{0, 2})) << "0% is none";
  EXPECT_EQ(ShadowSample::choose(*route, 0, *made, [] { return 0.9999999; }), Chosen{2}) << "100% is all";
  EXPECT_EQ(ShadowSample::choose(*route, 1, *made, [] { return 0.05; }), Chosen{2}) << "b itself answers";
  made->sequence.id = uint64_t{3};
  EXPECT_TRUE(ShadowSample::choose(*route, 0, *made, [] { return 0.0; }).empty());
  made->complete({});
}

TEST_F(ShadowSampleTest, MakesTheSameRequestInTheBackground) {
  const auto route = route_of(routes_, R"([{"target": "b@3", "timeout": "2s"}, {"target": "c@new"}])");
  const auto made = request(Bytes::copy_of("abcd"));
  ShadowSample sample(route, {0, 1}, 0, *made);
  made->complete({});
  const auto sink = std::make_shared<testing::RecordingSink>();
  for (const RouteShadow& shadow : route->definition().shadows) {
    const auto copy = sample.make_request(shadow, sink);
    EXPECT_EQ(copy->model, shadow.to.model);
    EXPECT_EQ(copy->version, shadow.to.version);
    EXPECT_EQ(copy->label, shadow.to.label);
    EXPECT_EQ(copy->id, "7");
    EXPECT_TRUE(copy->parameters.find("p") != nullptr);
    EXPECT_TRUE(is_background(*copy));
    EXPECT_EQ(copy->inputs.at(0).contiguous().view(), "abcd");
    EXPECT_EQ(copy->outputs.at(0).name, "y");
    EXPECT_EQ(copy->outputs.at(0).classes, 0U) << "answers are compared as they are";
    EXPECT_EQ(copy->deadline - copy->times.received, shadow.timeout);
    copy->complete({});
  }
}

TEST_F(ShadowSampleTest, CountsAndGivesBackWhatItHolds) {
  const auto route = route_of(routes_, R"([{"target": "c"}])");
  const Bytes body = Bytes::copy_of(std::string(100'000, 'x'));
  const auto made = request(body.slice(10, 1'000));  // a small part of a large body
  ShadowSample sample(route, {0}, 0, *made);
  bool released = false;
  InferResponse response;
  std::string foreign(2'000, 'y');
  MemoryRef memory = Memory::adopt(
      foreign.data(), foreign.size(), [](void* flag) { *static_cast<bool*>(flag) = true; }, &released);
  response.outputs.push_back({"y", DataType::kUint8, {500}, {Bytes(memory, memory->data() + 7, 500)}});
  response.outputs.push_back({"z", DataType::kUint8, {1'500}, {Bytes(memory, memory->data() + 500, 1'500)}});
  sample.take_answer(response, 0, 4);
  EXPECT_EQ(sample.held_bytes(), 100'000 + 2'000) << "a block counts once";
  response.outputs.clear();
  sample.compact();
  EXPECT_EQ(sample.held_bytes(), 1'000 + 500 + 1'500);
  EXPECT_EQ(sample.inputs()[0].contiguous().view(), std::string(1'000, 'x'));
  EXPECT_EQ(sample.outputs()[1].contiguous().view(), std::string(1'500, 'y'));
  EXPECT_EQ(sample.version(), 4);
  memory = MemoryRef();
  EXPECT_TRUE(released) << "the runtime's memory is not held up";
  made->complete({});
}

TEST_F(ShadowSampleTest, AShadowThatServedAfterAllIsLeftOut) {
  const auto route = route_of(routes_, R"([{"target": "b"}, {"target": "c"}])");
  const auto made = request(Bytes::copy_of("abcd"));
  ShadowSample sample(route, {0, 1}, 0, *made);
  sample.take_answer({}, 1, 1);  // by a fallback
  EXPECT_EQ(sample.shadows(), std::vector<size_t>{1});
  EXPECT_EQ(sample.arm().name, "b");
  made->complete({});
}

TEST(ExecutionOf, NeedsBothTimes) {
  RequestTimes times;
  EXPECT_EQ(execution_of(times), Duration{});
  times.compute_start = TimePoint(Duration(100));
  EXPECT_EQ(execution_of(times), Duration{});
  times.compute_end = TimePoint(Duration(350));
  EXPECT_EQ(execution_of(times), Duration(250));
}

}  // namespace
}  // namespace modelmill
