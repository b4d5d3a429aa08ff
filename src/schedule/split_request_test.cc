#include "schedule/split_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/metrics.h"
#include "schedule/testing/fakes.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Keeps the last response.
class KeepingSink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool) override {
    ++answers;
    finals += final ? 1 : 0;
    last = std::move(response);
  }
  int answers = 0;
  int finals = 0;
  InferResponse last;
};

std::string joined(const Tensor& tensor) { return std::string(tensor.contiguous().view()); }

std::string letters(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text.push_back(static_cast<char>('a' + i % 26));
  return text;
}

/// Strings as they are on the wire.
std::string strings(const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) {
    const auto length = static_cast<uint32_t>(value.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(value);
  }
  return bytes;
}

Tensor tensor(std::string name, DataType dtype, Shape shape, const std::vector<std::string>& chunks) {
  Tensor out{std::move(name), dtype, std::move(shape), {}};
  for (const std::string& chunk : chunks) out.data.push_back(Bytes::copy_of(chunk));
  return out;
}

class SplitRequestTest : public ::testing::Test {
 protected:
  /// Ten rows: bytes in three pieces that end within rows, and two strings a row.
  std::vector<InferRequestPtr> split(int64_t max_rows = 4) {
    auto request = std::make_unique<InferRequest>(sink_);
    request->model = "m";
    request->id = "whole";
    request->priority = 3;
    request->deadline = time_.now() + 1s;
    request->cancel = cancel_;
    request->batch_rows = 10;
    const std::string bytes = letters(30);
    request->inputs.push_back(
        tensor("x", DataType::kUint8, {10, 3}, {bytes.substr(0, 7), bytes.substr(7, 16), bytes.substr(23)}));
    std::vector<std::string> values;
    for (size_t i = 0; i < 20; ++i) values.push_back(letters(i % 5));
    strings_ = strings(values);
    request->inputs.push_back(tensor("s", DataType::kBytes, {10, 2}, {strings_.substr(0, 9), strings_.substr(9)}));
    stats_.request_queued();
    return SplitRequest::split(std::move(request), max_rows, stats_, time_);
  }
  /// Answers with the inputs, as outputs.
  static void echo(InferRequest& part) {
    InferResponse response;
    for (const Tensor& input : part.inputs) response.outputs.push_back(input);
    part.complete(std::move(response));
  }
  void begin(InferRequest& part) {
    part.times.compute_start = time_.now();
    static_cast<SplitRequest::Part&>(*part.observer).begin(failed_, batch_);
  }
  void begin_all(std::vector<InferRequestPtr>& parts) {
    for (auto& part : parts) begin(*part);
  }

  ManualTime time_;
  MetricRegistry metrics_;
  VersionStats stats_{metrics_, "m", 1};
  FailedRequests failed_;
  BatchCut batch_{4, CutReason::kNoGain};
  std::shared_ptr<KeepingSink> sink_ = std::make_shared<KeepingSink>();
  std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  std::string strings_;
};

TEST_F(SplitRequestTest, PartsAreWholeRequests) {
  auto parts = split();
  ASSERT_EQ(parts.size(), 3u);
  std::string x, s;
  int64_t rows = 0;
  for (const auto& part : parts) {
    EXPECT_EQ(part->batch_rows, part == parts.back() ? 2 : 4);
    EXPECT_EQ(part->priority, 3u);
    EXPECT_EQ(part->deadline, time_.now() + 1s);
    EXPECT_EQ(part->cancel, cancel_);
    ASSERT_EQ(part->inputs.size(), 2u);
    for (const Tensor& input : part->inputs) {
      EXPECT_TRUE(check_tensor_bytes(input).ok()) << check_tensor_bytes(input).message();
      EXPECT_EQ(input.shape[0], part->batch_rows);
    }
    x += joined(part->inputs[0]);
    s += joined(part->inputs[1]);
    rows += part->batch_rows;
  }
  EXPECT_EQ(rows, 10);
  EXPECT_EQ(x, letters(30));
  EXPECT_EQ(s, strings_);
  for (auto& part : parts) part->complete({});
}

TEST_F(SplitRequestTest, TheAnswerIsJoinedInOrder) {
  auto parts = split();
  begin_all(parts);
  time_.advance(5ms);
  for (const size_t i : {2, 0, 1}) {
    EXPECT_EQ(sink_->answers, 0);
    echo(*parts[i]);
  }
  EXPECT_EQ(sink_->answers, 1);
  EXPECT_EQ(sink_->finals, 1);
  ASSERT_TRUE(sink_->last.status.ok()) << sink_->last.status.message();
  ASSERT_EQ(sink_->last.outputs.size(), 2u);
  EXPECT_EQ(shape_text(dims(sink_->last.outputs[0].shape)), "[10,3]");
  EXPECT_EQ(joined(sink_->last.outputs[0]), letters(30));
  EXPECT_EQ(shape_text(dims(sink_->last.outputs[1].shape)), "[10,2]");
  EXPECT_EQ(joined(sink_->last.outputs[1]), strings_);
  EXPECT_EQ(sink_->last.times.compute_end - sink_->last.times.compute_start, 5ms);
  EXPECT_EQ(sink_->last.times.batch.rows, 4);
  EXPECT_EQ(sink_->last.times.batch.reason, CutReason::kNoGain);
  const auto view = stats_.view();
  EXPECT_EQ(view.success.count, 1u) << "one request";
  EXPECT_EQ(view.inference_count, 10u) << "with its rows";
  EXPECT_EQ(view.fail.count, 0u);
}

TEST_F(SplitRequestTest, TheFirstErrorIsTheAnswerWhenAllHaveEnded) {
  auto parts = split();
  begin_all(parts);
  parts[1]->fail(internal("first"));
  parts[0]->fail(unavailable("second"));
  EXPECT_EQ(sink_->answers, 0) << "a part still runs";
  echo(*parts[2]);
  EXPECT_EQ(sink_->answers, 1);
  EXPECT_EQ(sink_->last.status.message(), "first");
  EXPECT_TRUE(sink_->last.outputs.empty());
  const auto view = stats_.view();
  EXPECT_EQ(view.fail.count, 1u);
  EXPECT_EQ(view.success.count, 0u);
  EXPECT_EQ(failed_.all, 2);
  EXPECT_EQ(failed_.uncounted, 1) << "the first part stands for the request";
}

TEST_F(SplitRequestTest, DroppedBeforeItRan) {
  auto parts = split();
  EXPECT_EQ(stats_.view().pending, 1u);
  for (auto& part : parts) part->fail(cancelled("nobody waits"));
  EXPECT_EQ(sink_->last.status.code(), Code::kCancelled);
  EXPECT_EQ(stats_.view().pending, 0u);
  EXPECT_EQ(stats_.view().fail.count, 1u);
  EXPECT_EQ(failed_.all, 0);
}

TEST_F(SplitRequestTest, APartThatIsForgottenFails) {
  auto parts = split();
  parts.clear();
  EXPECT_EQ(sink_->answers, 1);
  EXPECT_EQ(sink_->last.status.code(), Code::kInternal);
}

TEST_F(SplitRequestTest, OutputsThatCannotBeJoinedAreTold) {
  const auto answer = [&](auto make) {
    auto parts = split();
    for (auto& part : parts) {
      InferResponse response;
      response.outputs.push_back(make(*part));
      part->complete(std::move(response));
    }
    EXPECT_EQ(sink_->last.status.code(), Code::kInvalidArgument);
    EXPECT_TRUE(sink_->last.outputs.empty());
    EXPECT_THAT(sink_->last.status.message(), HasSubstr("send at most 4 rows in a request"));
    return sink_->last.status.message();
  };
  EXPECT_THAT(answer([](const InferRequest&) { return tensor("y", DataType::kUint8, {1}, {"a"}); }),
              HasSubstr("output 'y' can't be joined: its shape for 4 rows is [1], which has no row for each"));
  EXPECT_THAT(answer([](const InferRequest& part) {
                const int64_t width = part.batch_rows == 4 ? 1 : 2;
                return tensor("y", DataType::kUint8, {part.batch_rows, width}, {letters(4)});
              }),
              HasSubstr("its rows are [8,1] in some parts and [2,2] in others"));
}

}  // namespace
}  // namespace modelmill
