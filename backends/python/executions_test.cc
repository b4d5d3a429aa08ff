#include "executions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "execute_frame.h"
#include "testing/fake_host.h"
#include "testing/worker_end.h"

namespace modelmill::python {
namespace {

using testing::Array;
using ::testing::ElementsAre;
using testing::FakeExecution;
using testing::FakeHost;
using testing::FakeRequest;
using testing::frame_of;
using ::testing::HasSubstr;
using testing::WorkerEnd;
using testing::WorkerMemory;

constexpr uint64_t kLimit = uint64_t{1} << 22;
constexpr uint64_t kLarge = 100'000;  // bytes; more than is copied

backend::TensorSpec spec(const char* name, mm_dtype dtype) {
  backend::TensorSpec out;
  out.name = name;
  out.dtype = dtype;
  out.shape = {-1};
  return out;
}

std::string tensor(uint16_t index, mm_dtype dtype, uint32_t region, uint64_t offset, uint64_t size,
                   const std::vector<int64_t>& shape) {
  FrameWriter writer(FrameType::kResponse, 0);
  writer.put(
      TensorRecord{index, static_cast<uint8_t>(dtype), static_cast<uint8_t>(shape.size()), region, offset, size});
  for (const int64_t dimension : shape) writer.put(dimension);
  return writer.take().substr(sizeof(FrameHeader));
}

TEST(ExecuteFrame, HasALimitOfWhatIsSaidBesideTensors) {
  FakeHost::install();
  FakeExecution asked;
  asked.add({Array::of<float>("x", MM_FP32, {1}, {1.f})}).wanted = {std::string(1000, 'y')};
  const backend::Execution execution = asked.execution();
  ModelShape shape;
  shape.inputs = {spec("x", MM_FP32)};
  shape.wants_info = true;
  Arena arena(kLimit);
  EXPECT_GT(make_execute_frame(1, execution, shape, arena, 2000).frame.size(), 1000u);
  try {
    make_execute_frame(1, execution, shape, arena, 900);
    ADD_FAILURE() << "it is made";
  } catch (const backend::Error& error) {
    EXPECT_EQ(error.code(), MM_RESOURCE_EXHAUSTED);
    EXPECT_THAT(error.what(), HasSubstr("more than 900 bytes"));
  }
}

class ExecutionsTest : public ::testing::Test {
 protected:
  ExecutionsTest() {
    FakeHost::install();
    shape_.inputs = {spec("x", MM_FP32)};
    shape_.outputs = {spec("y", MM_FP32), spec("words", MM_STRING)};
    worker_.send_region(0, memory_);
  }
  void begin(size_t requests, bool gather = false, bool decoupled = false) {
    shape_.gather = gather;
    shape_.decoupled = decoupled;
    if (!executions_) executions_.emplace(link_, shape_, kLimit);
    if (std::exchange(asked_.done, 0) > 0) asked_.requests.clear();
    for (size_t i = 0; i < requests; ++i)
      asked_.add({Array::of<float>("x", MM_FP32, {2}, {static_cast<float>(i), 10.f + static_cast<float>(i)})});
    id_ = executions_->begin(asked_.execution());
    ASSERT_NE(id_, 0u);
  }
  /// The worker answers with one entry, and what it says is taken.
  void answer(uint32_t request, const std::string& tensors, uint16_t count, uint32_t flags = 0,
              uint64_t block = UINT64_MAX) {
    say(frame_of(FrameType::kResponse, id_, ResponseRecord{flags, 1, block == UINT64_MAX ? kNoRegion : 0, block},
                 AnswerRecord{request, 0, 1, count, 0}, tensors));
  }
  void say(const std::string& frame) {
    worker_.send(frame + frame_of(FrameType::kFree, UINT64_MAX));
    executions_->serve(id_);
  }
  /// Why it may not say that.
  std::string refusal(const std::string& tensors, uint16_t count = 1) {
    try {
      answer(0, tensors, count);
    } catch (const ProtocolError& e) {
      return e.what();
    }
    return "nothing is wrong";
  }
  FakeRequest& request(size_t i) { return *asked_.requests[i]; }
  std::vector<float> floats(size_t i) { return request(i).answers.at(0).outputs.at(0).values<float>(); }

  WorkerEnd worker_;
  WorkerMemory memory_{1 << 20};
  FakeExecution asked_;
  Link link_{worker_.take_server_end(), kLimit, [] {}};
  ModelShape shape_;
  std::optional<Executions> executions_;
  uint64_t id_ = 0;
};

TEST_F(ExecutionsTest, ASmallOutputIsCopiedAndItsBlockFree) {
  begin(1);
  memory_.put(0, std::string("\1\0\0\0", 4));
  memory_.put(64, Array::of<float>("", MM_FP32, {2}, {3, 4}).bytes);
  answer(0, tensor(0, MM_FP32, 0, 64, 8, {2}), 1, 0, 0);
  EXPECT_THAT(floats(0), ElementsAre(3, 4));
  EXPECT_EQ(memory_.word(0), 0u);
  EXPECT_EQ(asked_.done, 1);
  EXPECT_TRUE(executions_->answered());
}

TEST_F(ExecutionsTest, ALargeOutputIsLentUntilTheClientHasIt) {
  begin(1);
  memory_.put(0, std::string("\1\0\0\0", 4));
  answer(0, tensor(0, MM_FP32, 0, 64, kLarge, {static_cast<int64_t>(kLarge / 4)}), 1, 0, 0);
  EXPECT_EQ(floats(0).size(), kLarge / 4);
  EXPECT_EQ(memory_.word(0), 1u) << "the client still reads";
  request(0).give_back();
  EXPECT_EQ(memory_.word(0), 0u);
}

TEST_F(ExecutionsTest, RowsGoToTheirRequests) {
  begin(2, true);
  memory_.put(64, Array::of<float>("", MM_FP32, {4}, {1, 2, 3, 4}).bytes);
  const auto words = Array::of_strings("words", {"a", "bc", "", "d"});
  memory_.put(128, Array::of<uint64_t>("", MM_UINT64, {5}, words.offsets).bytes + words.bytes);
  const std::string tensors =
      tensor(0, MM_FP32, 0, 64, 16, {4}) + tensor(1, MM_STRING, 0, 128, 40 + words.bytes.size(), {4});
  answer(UINT32_MAX, tensors, 2, kGathered);
  EXPECT_THAT(floats(0), ElementsAre(1, 2));
  EXPECT_THAT(floats(1), ElementsAre(3, 4));
  EXPECT_THAT(request(0).answers[0].outputs[1].strings(), ElementsAre("a", "bc"));
  EXPECT_THAT(request(1).answers[0].outputs[1].strings(), ElementsAre("", "d"));
}

TEST_F(ExecutionsTest, RowsThatDoNotAddUpFailTheBatch) {
  begin(2, true);
  answer(UINT32_MAX, tensor(0, MM_FP32, 0, 64, 12, {3}), 1, kGathered);
  for (size_t i = 0; i < 2; ++i) EXPECT_THAT(request(i).answers.at(0).message, HasSubstr("for a batch of 4 rows"));
}

TEST_F(ExecutionsTest, InputsAreAnsweredWithWhereTheyLie) {
  begin(1);
  answer(0, tensor(0, MM_FP32, kServerMemory, 0, 8, {2}), 1);
  EXPECT_THAT(floats(0), ElementsAre(0, 10));
}

TEST_F(ExecutionsTest, InputsThatAreKeptAreNotUsedAgain) {
  begin(1);
  answer(0, tensor(0, MM_FP32, kServerMemory, 0, 8, {2}), 1, kKeepsInputs);
  EXPECT_NE(link_.arena().allocate(1)->offset(), 0u);
  begin(1);
  say(frame_of(FrameType::kFree, 1) +
      frame_of(FrameType::kResponse, id_, ResponseRecord{0, 1, kNoRegion, 0}, AnswerRecord{0, 1, 1, 3, 2}, "no"));
  EXPECT_EQ(link_.arena().allocate(1)->offset(), 0u);
}

TEST_F(ExecutionsTest, ErrorsAreTheRequestsOwn) {
  begin(2);
  say(frame_of(FrameType::kResponse, id_, ResponseRecord{0, 2, kNoRegion, 0}, AnswerRecord{1, 1, 1, MM_NOT_FOUND, 7},
               "no such", AnswerRecord{0, 1, 1, 77, 3}, "bad"));
  EXPECT_EQ(request(1).answers.at(0).code, MM_NOT_FOUND);
  EXPECT_EQ(request(1).answers.at(0).message, "no such");
  EXPECT_EQ(request(0).answers.at(0).code, MM_INTERNAL) << "77 is no code";
}

TEST_F(ExecutionsTest, WithAnOpenSignatureNamesComeWithTheOutputs) {
  shape_.open = true;
  memory_.put(64, Array::of<double>("", MM_FP64, {1}, {2.5}).bytes);
  const auto say_open = [&](uint8_t kind, uint16_t count, const std::string& tensors, const std::string& text) {
    say(frame_of(FrameType::kResponse, id_, ResponseRecord{0, 1, kNoRegion, 0},
                 AnswerRecord{0, kind, 1, count, static_cast<uint32_t>(text.size())}, tensors, text));
  };
  begin(1);
  say_open(0, 1, tensor(0, MM_FP64, 0, 64, 8, {1}), R"({"parameters": {"k": "v"}, "outputs": ["any"]})");
  const auto& answer = request(0).answers.at(0);
  EXPECT_EQ(answer.outputs.at(0).name, "any");
  EXPECT_THAT(answer.outputs[0].values<double>(), ElementsAre(2.5));
  EXPECT_EQ(answer.parameters.size(), 1u);
  begin(1);
  say_open(1, MM_FAILED_PRECONDITION, "", R"({"error": "so not", "parameters": {"status": "422"}})");
  EXPECT_EQ(request(0).answers.at(0).code, MM_FAILED_PRECONDITION);
  EXPECT_EQ(request(0).answers[0].message, "so not");
  for (const char* own : {R"({"error": it is the model's own text})", R"({"error": ["a", "b"]})"}) {
    begin(1);
    say_open(1, MM_FAILED_PRECONDITION, "", own);
    EXPECT_EQ(request(0).answers.at(0).code, MM_FAILED_PRECONDITION);
    EXPECT_EQ(request(0).answers[0].message, own);
  }
}

TEST_F(ExecutionsTest, OutputsWithoutTheirNamesAreAnError) {
  shape_.open = true;
  memory_.put(64, Array::of<double>("", MM_FP64, {1}, {2.5}).bytes);
  begin(1);
  answer(0, tensor(0, MM_FP64, 0, 64, 8, {1}), 1);
  EXPECT_THAT(request(0).answers.at(0).message, HasSubstr("without their names"));
  begin(1);
  EXPECT_THAT(refusal(tensor(1, MM_FP64, 0, 64, 8, {1})), HasSubstr("out of its order"));
  EXPECT_THROW(answer(UINT32_MAX, tensor(0, MM_FP64, 0, 64, 8, {1}), 1, kGathered), ProtocolError);
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
}

TEST_F(ExecutionsTest, AnswersOfManyAreAcknowledged) {
  begin(1, false, true);
  (void)worker_.received();
  const auto part = [&](uint8_t kind, uint8_t final, uint16_t count, const std::string& tensors) {
    return frame_of(FrameType::kResponse, id_, ResponseRecord{0, 1, kNoRegion, 0},
                    AnswerRecord{0, kind, final, count, 0}, tensors);
  };
  const std::string one = tensor(0, MM_FP32, 0, 64, 8, {2});
  say(part(0, 0, 1, one) + part(0, 0, 1, one) + part(2, 1, 0, ""));
  EXPECT_EQ(request(0).answers.size(), 2u);
  EXPECT_EQ(request(0).finals, 1);
  EXPECT_THAT(worker_.received(), ElementsAre(FrameType::kAck, FrameType::kAck));
}

TEST_F(ExecutionsTest, TensorsThatAreNotWhatTheyClaim) {
  begin(1);
  const uint64_t end = memory_.size();
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 0, end - 4, 8, {2})), HasSubstr("beyond its memory"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 0, UINT64_MAX - 7, 8, {2})), HasSubstr("beyond its memory"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 0, 2, 8, {2})), HasSubstr("not aligned"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 0, 0, 8, {3})), HasSubstr("not that of its shape"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 0, 0, 8, {-2})), HasSubstr("of shape [-2]"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 0, 0, 8, {int64_t{1} << 62, 4})), HasSubstr("of shape"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, 5, 0, 8, {2})), HasSubstr("memory that there is not"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, kServerMemory | 3, 0, 8, {2})), HasSubstr("not its execution's"));
  EXPECT_THAT(refusal(tensor(0, MM_FP32, kServerMemory, 64, 8, {2})), HasSubstr("beyond its memory"));
  EXPECT_THAT(refusal(tensor(9, MM_FP32, 0, 0, 8, {2})), HasSubstr("output number 9"));
  EXPECT_THAT(refusal(tensor(0, MM_INT32, 0, 0, 8, {2})), HasSubstr("another type"));
  EXPECT_THAT(refusal(tensor(0, static_cast<mm_dtype>(77), 0, 0, 8, {2})), HasSubstr("unknown type"));
  EXPECT_THAT(refusal("", 1), HasSubstr("ends too early"));
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
  EXPECT_EQ(request(0).answers.at(0).message, "it is gone");
}

TEST_F(ExecutionsTest, StringsThatLieOutsideOfTheirBytes) {
  begin(1);
  const auto table = [&](const std::vector<uint64_t>& offsets) {
    memory_.put(0, Array::of<uint64_t>("", MM_UINT64, {}, offsets).bytes);
    return refusal(tensor(1, MM_STRING, 0, 0, 8 * offsets.size() + 10, {static_cast<int64_t>(offsets.size()) - 1}));
  };
  EXPECT_THAT(table({0, 5, 3}), HasSubstr("don't ascend"));
  EXPECT_THAT(table({0, 5, 11}), HasSubstr("don't ascend within"));
  EXPECT_THAT(refusal(tensor(1, MM_STRING, 0, 0, 16, {2})), HasSubstr("without their offsets"));
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
}

TEST_F(ExecutionsTest, AnswersThatNobodyWaitsFor) {
  begin(2);
  const auto error = [&](uint64_t execution, uint32_t request) {
    return frame_of(FrameType::kResponse, execution, ResponseRecord{0, 1, kNoRegion, 0},
                    AnswerRecord{request, 1, 1, 3, 0});
  };
  EXPECT_THROW(say(error(id_ + 1, 0)), ProtocolError);
  EXPECT_THROW(say(error(id_, 2)), ProtocolError);
  EXPECT_THROW(say(error(id_, 1) + error(id_, 1)), ProtocolError);
  EXPECT_THROW(say(frame_of(FrameType::kLog, 0)), ProtocolError);
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
  EXPECT_EQ(asked_.done, 1);
}

TEST_F(ExecutionsTest, NothingBeginsAfterTheEnd) {
  begin(1);
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
  FakeExecution late;
  late.add({Array::of<float>("x", MM_FP32, {1}, {1})});
  EXPECT_EQ(executions_->begin(late.execution()), 0u);
  EXPECT_EQ(late.requests[0]->answers.at(0).message, "it is gone");
  EXPECT_EQ(executions_->count(), 0u);
}

TEST_F(ExecutionsTest, WhatIsCancelledIsToldOnce) {
  begin(2);
  (void)worker_.received();
  const auto later = Executions::Clock::now() + std::chrono::hours(1);
  executions_->tell_cancelled(later);
  EXPECT_THAT(worker_.received(), ElementsAre());
  request(1).cancelled = true;
  executions_->tell_cancelled(later);
  executions_->tell_cancelled(later);
  EXPECT_THAT(worker_.received(), ElementsAre(FrameType::kCancel));
  EXPECT_TRUE(executions_->overdue(later));
  EXPECT_FALSE(executions_->overdue(Executions::Clock::now() - std::chrono::hours(1)));
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
}

TEST_F(ExecutionsTest, OnWhoseBehalfItCalls) {
  asked_.add({Array::of<float>("x", MM_FP32, {1}, {1})}).deadline_ns = 5;
  begin(0);
  EXPECT_EQ(reinterpret_cast<FakeRequest*>(executions_->caller_of(id_).request), &request(0));
  EXPECT_EQ(executions_->caller_of(id_).deadline_ns, 5);
  EXPECT_EQ(executions_->caller_of(id_ + 1).request, nullptr);
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
}

TEST_F(ExecutionsTest, SeveralWaitForTheLatestDeadline) {
  for (const int64_t deadline : {5, 9}) asked_.add({Array::of<float>("x", MM_FP32, {1}, {1})}).deadline_ns = deadline;
  begin(0);
  EXPECT_EQ(executions_->caller_of(id_).request, nullptr);
  EXPECT_EQ(executions_->caller_of(id_).deadline_ns, 9);
  executions_->fail_all(MM_UNAVAILABLE, "it is gone");
}

}  // namespace
}  // namespace modelmill::python
