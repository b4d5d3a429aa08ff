#include "lifecycle/tf_warmup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "base/testing/temp_folder.h"
#include "lifecycle/tf_records.h"
#include "model/tf_tensor_proto.h"
#include "storage/checksum.h"
#include "tf_warmup.pb.h"

namespace modelmill {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// Two records, "abc" and an empty one, as TensorFlow's own writer wrote them.
const std::string kWrittenByTensorFlow =
    "\x03\x00\x00\x00\x00\x00\x00\x00\xb0\x99\x49\x0e"
    "abc"
    "\x6e\x57\xf1\x21"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x29\x03\x98\x07\xd8\xea\x82\xa2"s;

std::string little_endian(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string sum_of(const std::string& bytes) {
  uint32_t sum = 0;
  for (const char c : digest_of(ChecksumKind::kCrc32c, bytes).bytes) sum = sum << 8 | static_cast<unsigned char>(c);
  return little_endian(std::rotr(sum, 15) + 0xa282ead8U, 4);
}

std::string record(const std::string& bytes) {
  const std::string length = little_endian(bytes.size(), 8);
  return length + sum_of(length) + bytes + sum_of(bytes);
}

TEST(TfRecords, AreReadAsTensorFlowWritesThem) {
  const auto records = read_tf_records(kWrittenByTensorFlow, 2);
  ASSERT_TRUE(records.ok()) << records.status().to_string();
  EXPECT_THAT(*records, ElementsAre("abc", ""));
  EXPECT_EQ(record("abc") + record(""), kWrittenByTensorFlow);
  EXPECT_TRUE(read_tf_records("", 0).ok());
  EXPECT_THAT(read_tf_records(kWrittenByTensorFlow, 1).status().message(), HasSubstr("more than 1 records"));
}

TEST(TfRecords, EveryDamageIsNoticed) {
  for (size_t i = 0; i < kWrittenByTensorFlow.size(); ++i) {
    std::string damaged = kWrittenByTensorFlow;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_EQ(read_tf_records(damaged, 9).status().code(), Code::kDataLoss) << i;
    const auto cut = read_tf_records(kWrittenByTensorFlow.substr(0, i), 9);
    const bool between = i == 0 || i == record("abc").size();
    EXPECT_EQ(cut.ok(), between) << i;
  }
  EXPECT_THAT(read_tf_records(record(std::string(8, '\xff')).substr(12, 8) + sum_of(std::string(8, '\xff')), 9)
                  .status()
                  .message(),
              HasSubstr("record 1 is cut"));
}

tensorflow::TensorProto proto_of(int32_t dtype, const std::vector<int64_t>& shape) {
  tensorflow::TensorProto out;
  out.set_dtype(static_cast<tensorflow::DataType>(dtype));
  for (const int64_t size : shape) out.mutable_tensor_shape()->add_dim()->set_size(size);
  return out;
}

class TfWarmupTest : public testing::Test {
 protected:
  TfWarmupTest() {
    definition_.name = "m";
    signature_.inputs = {{"x", DataType::kFp32, {-1, 2}, {}, false}};
  }

  static tf_warmup::PredictionLog predict(const std::string& signature = {}) {
    tf_warmup::PredictionLog log;
    auto& request = *log.mutable_predict_log()->mutable_request();
    request.mutable_model_spec()->set_signature_name(signature);
    auto& x = (*request.mutable_inputs())["x"] = proto_of(1, {3, 2});
    x.add_float_val(7);
    return log;
  }
  static tf_warmup::PredictionLog classify(const std::string& signature, bool with_context) {
    tf_warmup::PredictionLog log;
    auto& request = *log.mutable_classify_log()->mutable_request();
    request.mutable_model_spec()->set_signature_name(signature);
    if (with_context) {
      request.mutable_input()->mutable_example_list_with_context()->add_examples("one");
      request.mutable_input()->mutable_example_list_with_context()->set_context("all");
    } else {
      request.mutable_input()->mutable_example_list()->add_examples("one");
      request.mutable_input()->mutable_example_list()->add_examples("two");
    }
    return log;
  }

  Status read(const std::string& file) {
    samples_.clear();
    folder_.write("1/assets.extra/tf_serving_warmup_requests", file);
    return add_tf_warmup((folder_ / "1/saved_model.pb"), definition_, {signature_, entry_, true}, iterations_, samples_)
        .status();
  }
  Status read(const tf_warmup::PredictionLog& log) { return read(record(log.SerializeAsString())); }

  const TempFolder folder_;
  ModelDefinition definition_;
  std::string entry_;
  Signature signature_;
  int iterations_ = 1;
  std::vector<WarmupSample> samples_;
};

TEST_F(TfWarmupTest, NoFileIsNone) {
  for (const std::string& file : {folder_ / "1/saved_model.pb", std::string()}) {
    const auto brought = add_tf_warmup(file, definition_, {signature_, entry_, true}, 1, samples_);
    ASSERT_TRUE(brought.ok());
    EXPECT_FALSE(*brought);
  }
  EXPECT_TRUE(samples_.empty());
}

TEST_F(TfWarmupTest, PredictionsOfTheServedSignatureAreTaken) {
  ASSERT_TRUE(read(record(predict().SerializeAsString()) + record(predict("other").SerializeAsString()) +
                   record(predict("serving_default").SerializeAsString()))
                  .ok());
  ASSERT_EQ(samples_.size(), 2U);
  ASSERT_EQ(samples_[0].requests.size(), 1U);
  EXPECT_EQ(samples_[0].requests[0].rows, 3);
  EXPECT_EQ(samples_[0].requests[0].inputs.at(0).byte_size(), 24U);
  EXPECT_EQ(samples_[0].count, 1);
  iterations_ = 3;
  ASSERT_TRUE(read(predict()).ok());
  EXPECT_EQ(samples_.at(0).count, 3);
  entry_ = "other";
  ASSERT_TRUE(read(predict("other")).ok());
  EXPECT_EQ(samples_.size(), 1U);
  ASSERT_TRUE(read(predict()).ok());
  EXPECT_TRUE(samples_.empty());
}

TEST_F(TfWarmupTest, ExamplesAreStringsOfTheOneInput) {
  entry_ = "classify";
  EXPECT_THAT(read(classify("classify", false)).message(), HasSubstr("does not take one input of strings"));
  signature_.inputs = {{"examples", DataType::kBytes, {-1}, {}, false}};
  ASSERT_TRUE(read(classify("classify", false)).ok());
  EXPECT_EQ(samples_.at(0).requests.at(0).rows, 2);
  EXPECT_EQ(samples_[0].requests[0].inputs.at(0).byte_size(), 2 * (4 + 3U));
  ASSERT_TRUE(read(classify("classify", true)).ok());
  const Bytes bytes = samples_.at(0).requests.at(0).inputs.at(0).contiguous();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()) + 4, bytes.size() - 4), "allone");
}

TEST_F(TfWarmupTest, ARecordThatDoesNotFitFailsTheLoad) {
  EXPECT_THAT(read("junk").message(), HasSubstr("record 1 is cut"));
  EXPECT_THAT(read("junk").message(), HasSubstr("model 'm': warm-up file"));
  EXPECT_THAT(read(record("\xff\xff")).message(), HasSubstr("record 1: it is not a PredictionLog"));
  EXPECT_THAT(read(record("")).message(), HasSubstr("without a log"));
  auto log = predict();
  (*log.mutable_predict_log()->mutable_request()->mutable_inputs())["z"] = proto_of(1, {1});
  EXPECT_THAT(read(log).message(), HasSubstr("the model has no input 'z'"));
  log.mutable_predict_log()->mutable_request()->clear_inputs();
  EXPECT_THAT(read(log).message(), HasSubstr("input 'x' is missing"));
  (*log.mutable_predict_log()->mutable_request()->mutable_inputs())["x"] = proto_of(9, {1, 2});
  EXPECT_THAT(read(log).message(), HasSubstr("INT64[1,2], but the model takes"));
  (*log.mutable_predict_log()->mutable_request()->mutable_inputs())["x"] = proto_of(1, {1, 3});
  EXPECT_THAT(read(log).message(), HasSubstr("FP32[1,3], but the model takes"));
}

TEST_F(TfWarmupTest, OtherKindsArePassedOver) {
  tf_warmup::PredictionLog log;
  log.mutable_session_run_log();
  ASSERT_TRUE(read(log).ok());
  EXPECT_TRUE(samples_.empty());
}

TEST_F(TfWarmupTest, AThousandRecordsAreEnough) {
  const std::string one = record(predict().SerializeAsString());
  std::string file;
  for (int i = 0; i < 1000; ++i) file += one;
  ASSERT_TRUE(read(file).ok());
  EXPECT_EQ(samples_.size(), 1000U);
  EXPECT_THAT(read(file + one).message(), HasSubstr("more than 1000 records"));
}

}  // namespace
}  // namespace modelmill
