#include "services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/fake_host.h"
#include "testing/worker_end.h"

namespace modelmill::python {
namespace {

using ::testing::ElementsAre;
using testing::FakeHost;
using testing::FakeRequest;
using testing::frame_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::WorkerEnd;
using testing::WorkerMemory;

constexpr uint64_t kServicesLimit = uint64_t{1} << 20;

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() {
    FakeHost::install();
    worker_.send_region(0, memory_);
  }
  /// False: it is not one of what is taken.
  bool say(const std::string& text) {
    worker_.send(text);
    Frame frame{};
    EXPECT_TRUE(link_->receive(frame, true));
    return services_->take(frame);
  }
  std::string refusal(const std::string& text) {
    try {
      say(text);
    } catch (const ProtocolError& e) {
      return e.what();
    }
    return "nothing is wrong";
  }
  static std::string call(const std::string& model, uint64_t execution, uint64_t offset = 64, uint32_t block = 0,
                          const std::string& about = "") {
    const std::string name = "x";
    const CallRecord record{
        execution, 2, block, 0, 1, static_cast<uint16_t>(model.size()), static_cast<uint32_t>(about.size())};
    return frame_of(FrameType::kCall, 5, record, model, about, TensorRecord{0, MM_FP32, 1, 0, offset, 8}, int64_t{2},
                    uint16_t{1}, name);
  }
  static std::string models(ModelsAction action, const std::string& model, int64_t version = 0,
                            const std::string& config = "") {
    const ModelsRecord record{
        static_cast<uint8_t>(action),        version, kNoRegion, 0, 0, static_cast<uint16_t>(model.size()),
        static_cast<uint32_t>(config.size())};
    return frame_of(FrameType::kModels, 9, record, model, config);
  }

  WorkerEnd worker_;
  WorkerMemory memory_{4096};
  FakeRequest request_;
  std::shared_ptr<Link> link_ = std::make_shared<Link>(worker_.take_server_end(), kServicesLimit, [] {});
  std::shared_ptr<Services> services_ = std::make_shared<Services>(link_, nullptr, [this](uint64_t execution) {
    return execution == 1 ? Caller{reinterpret_cast<mm_request*>(&request_), 77} : Caller{};
  });
};

TEST_F(ServicesTest, ACallIsMadeForTheRequestThatItIsFor) {
  memory_.put(0, std::string("\1\0\0\0", 4));
  EXPECT_TRUE(say(call("rows", 1)));
  ASSERT_EQ(FakeHost::calls.size(), 1u);
  EXPECT_EQ(FakeHost::calls[0].model, "rows");
  EXPECT_EQ(FakeHost::calls[0].parent, &request_);
  EXPECT_EQ(FakeHost::calls[0].deadline_ns, 77);
  EXPECT_EQ(memory_.word(0), 0u) << "its inputs were copied";
  EXPECT_THAT(worker_.received(), ElementsAre(FrameType::kRegion, FrameType::kCallResult));
}

TEST_F(ServicesTest, ACallForNobody) {
  EXPECT_TRUE(say(call("rows", 0, 64, kNoRegion)));
  EXPECT_EQ(FakeHost::calls.at(0).parent, nullptr);
  EXPECT_EQ(FakeHost::calls.at(0).deadline_ns, 0);
}

TEST_F(ServicesTest, AnAnswerIsKeptUntilItIsLetGo) {
  EXPECT_TRUE(say(call("rows", 0)));
  EXPECT_NE(link_->arena().allocate(1)->offset(), 0u);
  EXPECT_TRUE(say(frame_of(FrameType::kFree, 1)));
  EXPECT_EQ(link_->arena().allocate(1)->offset(), 0u);
}

TEST_F(ServicesTest, ACallThatIsRefusedIsItsAnswer) {
  EXPECT_TRUE(say(call("nobody", 0)));
  EXPECT_THAT(worker_.received(), ElementsAre(FrameType::kCallResult));
}

TEST_F(ServicesTest, CallsThatBreakTheProtocol) {
  EXPECT_THAT(refusal(call("rows", 0, 4092)), HasSubstr("beyond its memory"));
  EXPECT_THAT(refusal(call("rows", 0, 64, 9)), HasSubstr("a block in memory that there is not"));
  EXPECT_THAT(refusal(frame_of(FrameType::kCall, 5, uint64_t{1})), HasSubstr("ends too early"));
}

TEST_F(ServicesTest, WhatGoesWithACall) {
  EXPECT_TRUE(say(call("rows", 0, 64, kNoRegion, R"({"id": "i", "outputs": ["a", "b"], "priority": 3, "timeout_us": 7,
    "parameters": {"n": 1, "big": 18446744073709551615, "half": 0.5, "one": 1.0, "yes": true, "text": "t"},
    "sequence": 18446744073709551615, "flags": 3, "traceparent": "", "one": true})")));
  const FakeHost::Call& made = FakeHost::calls.at(0);
  EXPECT_EQ(made.id, "i");
  EXPECT_THAT(made.outputs, ElementsAre("a", "b"));
  const std::map<std::string, backend::ParameterValue> expected = {
      {"n", int64_t{1}}, {"big", UINT64_MAX}, {"half", 0.5}, {"one", 1.0}, {"yes", true}, {"text", std::string("t")}};
  EXPECT_EQ(made.parameters, expected);
  EXPECT_EQ(made.priority, 3u);
  EXPECT_EQ(made.queue_timeout_ns, 7000);
  EXPECT_EQ(made.sequence, "18446744073709551615");
  EXPECT_EQ(made.sequence_flags, MM_SEQUENCE_START | MM_SEQUENCE_END);
  EXPECT_EQ(made.flags, MM_CALL_ONE_ANSWER);
  EXPECT_TRUE(say(call("rows", 0, 64, kNoRegion, R"({"sequence": "s"})")));
  EXPECT_EQ(FakeHost::calls.at(1).sequence, "s");
}

TEST_F(ServicesTest, WhatCantGoWithACallIsItsError) {
  for (const char* about : {R"({"priority": -1})", R"({"timeout_us": 0.5})", "{", R"({"sequence": -1})"}) {
    EXPECT_TRUE(say(call("rows", 0, 64, kNoRegion, about))) << about;
    EXPECT_THAT(worker_.received(), ElementsAre(FrameType::kCallResult)) << about;
  }
  EXPECT_THAT(FakeHost::calls, IsEmpty());
}

TEST_F(ServicesTest, ACallIsCancelledWhileItHasAnswersToCome) {
  EXPECT_TRUE(say(frame_of(FrameType::kCallCancel, 5))) << "one that is over";
  EXPECT_TRUE(say(call("endless", 0, 64, kNoRegion, R"({"cancel": true})")));
  EXPECT_TRUE(say(frame_of(FrameType::kCallCancel, 5)));
  EXPECT_EQ(FakeHost::cancelled, 1);
  FakeHost::endless();
  EXPECT_TRUE(say(frame_of(FrameType::kCallCancel, 5)));
  EXPECT_EQ(FakeHost::cancelled, 1);
  EXPECT_TRUE(say(call("rows", 0, 64, kNoRegion, R"({"cancel": true})"))) << "over before it is known";
}

TEST_F(ServicesTest, ModelsAreLoaded) {
  memory_.put(64, "abc");
  EXPECT_TRUE(say(frame_of(FrameType::kModels, 9, ModelsRecord{1, 0, 0, 0, 1, 4, 2}, "good{}",
                           TensorRecord{0, MM_UINT8, 1, 0, 64, 3}, int64_t{3}, uint16_t{9}, "1/model.x")));
  EXPECT_TRUE(say(models(ModelsAction::kUnload, "good")));
  EXPECT_TRUE(say(models(ModelsAction::kUnloadWithMembers, "pipe")));
  EXPECT_TRUE(say(models(ModelsAction::kLoad, "bad")));
  EXPECT_TRUE(say(models(ModelsAction::kLoad, "nobody")));
  EXPECT_TRUE(say(models(ModelsAction::kIsReady, "rows", 2)));
  EXPECT_THAT(FakeHost::changes, ElementsAre("load good as {} with 1/model.x=abc", "unload good",
                                             "unload with members pipe", "load bad", "load nobody"));
  EXPECT_EQ(worker_.received(), std::vector<FrameType>(6, FrameType::kModelsResult));
  EXPECT_THAT(refusal(models(static_cast<ModelsAction>(9), "good")), HasSubstr("action 9"));
  EXPECT_THAT(refusal(frame_of(FrameType::kModels, 9, ModelsRecord{1, 0, 0, 0, 1, 4, 0}, "good",
                               TensorRecord{0, MM_FP32, 1, 0, 64, 4}, int64_t{1}, uint16_t{1}, "x")),
              HasSubstr("not of bytes"));
}

TEST_F(ServicesTest, Metrics) {
  const std::string json = R"({"kind": "counter", "name": "texts_total", "labels": {"a": "b"}})";
  EXPECT_TRUE(say(frame_of(FrameType::kMetricNew, 3, json)));
  EXPECT_TRUE(say(frame_of(FrameType::kMetricUpdate, 0, uint64_t{3}, 1.5)));
  EXPECT_THAT(refusal(frame_of(FrameType::kMetricNew, 3, json)), HasSubstr("too many metrics"));
  EXPECT_THAT(refusal(frame_of(FrameType::kMetricUpdate, 0, uint64_t{4}, 1.5)), HasSubstr("that there is not"));
  EXPECT_THAT(refusal(frame_of(FrameType::kMetricUpdate, 0, uint64_t{3})), HasSubstr("ends too early"));
}

TEST_F(ServicesTest, AMetricThatTheHostRefusesIsLeftOut) {
  EXPECT_TRUE(say(frame_of(FrameType::kMetricNew, 3, R"({"kind": "gauge", "name": ""})")));
  EXPECT_THAT(FakeHost::logged, ElementsAre(HasSubstr("a metric is left out")));
  EXPECT_TRUE(say(frame_of(FrameType::kMetricUpdate, 0, uint64_t{3}, 1.5)));
}

TEST_F(ServicesTest, EachLineIsOneOfTheLog) {
  EXPECT_TRUE(say(frame_of(FrameType::kLog, 0, uint8_t{200}, "one\ntwo\n")));
  EXPECT_THAT(FakeHost::logged, ElementsAre("one", "two"));
}

TEST_F(ServicesTest, OtherFramesAreNotItsOwn) {
  EXPECT_FALSE(say(frame_of(FrameType::kReady, 0, "{}")));
  EXPECT_THAT(FakeHost::calls, IsEmpty());
}

}  // namespace
}  // namespace modelmill::python
