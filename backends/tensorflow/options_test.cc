#include "options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "wire.h"

namespace modelmill::tensorflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Options read(const std::string& parameters, uint32_t instance_threads = 0) {
  return Options::read(backend::ModelConfig("{\"parameters\": {" + parameters + "}}"), instance_threads, 6);
}

std::map<uint32_t, int64_t> numbers(const Options& options) {
  std::map<uint32_t, int64_t> out;
  const std::string proto = options.config_proto();
  WireReader reader(proto);
  while (reader.next())
    if (reader.is_varint()) out[reader.field()] = static_cast<int32_t>(reader.varint());
  EXPECT_TRUE(reader.ok());
  return out;
}

TEST(OptionsTest, ByDefaultAnExecutionStaysOnItsThread) {
  const Options options = read("");
  EXPECT_EQ(options.signature, "serving_default");
  EXPECT_THAT(options.tags, ElementsAre("serve"));
  EXPECT_TRUE(options.on_caller());
  EXPECT_EQ(numbers(options), (std::map<uint32_t, int64_t>{{2, 1}, {5, -1}, {7, 1}}));
}

TEST(OptionsTest, ThreadsAreAsTheParametersOrTheInstanceSay) {
  EXPECT_EQ(read("", 3).intra_op_threads, 3);
  EXPECT_FALSE(read("", 3).on_caller());
  EXPECT_EQ(read(R"("TF_NUM_INTRA_THREADS": {"string_value": "2"})", 3).intra_op_threads, 2);
  EXPECT_EQ(read(R"("TF_NUM_INTRA_THREADS": "0")").intra_op_threads, 6);
  const Options pool = read(R"("TF_NUM_INTER_THREADS": "2")");
  EXPECT_FALSE(pool.on_caller());
  EXPECT_EQ(numbers(pool), (std::map<uint32_t, int64_t>{{2, 1}, {5, 2}, {7, 1}, {9, 1}}));
  EXPECT_EQ(numbers(read(R"("TF_NUM_INTER_THREADS": "2", "TF_USE_PER_SESSION_THREADS": "Off")")).count(9), 0U);
}

TEST(OptionsTest, SignatureAndTags) {
  const Options options = read(R"("TF_SIGNATURE_DEF": {"string_value": "encode"}, "TF_GRAPH_TAG": "serve,gpu")");
  EXPECT_EQ(options.signature, "encode");
  EXPECT_THAT(options.tags, ElementsAre("serve", "gpu"));
}

TEST(OptionsTest, WhatIsWrongIsNamed) {
  const auto error = [](const std::string& parameters) -> std::string {
    try {
      (void)read(parameters);
      return "no error";
    } catch (const backend::Error& e) {
      return e.what();
    }
  };
  EXPECT_THAT(error(R"("TF_NUM_INTRA_THREADS": "-2")"), HasSubstr("'TF_NUM_INTRA_THREADS' is -2; it must be from 0"));
  EXPECT_THAT(error(R"("TF_NUM_INTER_THREADS": "-1")"), HasSubstr("'TF_NUM_INTER_THREADS' is -1; it must be from 0"));
  EXPECT_THAT(error(R"("TF_NUM_INTER_THREADS": "many")"),
              HasSubstr("'TF_NUM_INTER_THREADS': 'many' is not an integer"));
  EXPECT_THAT(error(R"("TF_USE_PER_SESSION_THREADS": "maybe")"), HasSubstr("it must be true"));
  try {
    (void)Options::read(backend::ModelConfig(R"({"optimization": {"execution_accelerators": {
        "gpu_execution_accelerator": [{"name": "tensorrt"}]}}})"),
                        0, 6);
    ADD_FAILURE() << "tensorrt was taken";
  } catch (const backend::Error& e) {
    EXPECT_EQ(e.code(), MM_UNIMPLEMENTED);
    EXPECT_THAT(e.what(), HasSubstr("'tensorrt'"));
  }
}

}  // namespace
}  // namespace modelmill::tensorflow
