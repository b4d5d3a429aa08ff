// The C++ layer of the backend headers, as far as it works without a host.

#include <gmock/gmock.h>

#include "modelmill/backend.hpp"

namespace modelmill::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BackendJson, ReadsWhatProtobufWrites) {
  const Json json =
      Json::parse(R"( {"a": ["1", 2, -3.0, true, null], "t": "\u00e4\ud83d\ude00\"\\\n", "o": {"x": {"y": "z"}}} )");
  EXPECT_EQ(json["a"].items().size(), 5u);
  EXPECT_EQ(json["a"].items()[0].integer(), 1);
  EXPECT_EQ(json["a"].items()[1].integer(), 2);
  EXPECT_EQ(json["a"].items()[2].integer(), -3);
  EXPECT_TRUE(json["a"].items()[3].boolean());
  EXPECT_TRUE(json["a"].items()[4].is_null());
  EXPECT_EQ(json["t"].text(), "\xC3\xA4\xF0\x9F\x98\x80\"\\\n");
  EXPECT_EQ(json["o"]["x"]["y"].text(), "z");
  EXPECT_TRUE(json["o"]["nope"]["deeper"].is_null());
  EXPECT_EQ(json["nope"].integer(7), 7);
  EXPECT_EQ(Json::parse("9223372036854775807").integer(), INT64_MAX);
}

TEST(BackendJson, RefusesTheRest) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":}", "tru", "\"abc", "\"\\x\"", "\"\\u12\"", "1 2", "--1", "{1:2}", "\"\n\"", "nan"})
    EXPECT_THROW(Json::parse(text), Error) << text;
  EXPECT_THROW(Json::parse(std::string(100'000, '[')), Error);
  EXPECT_THROW(Json::parse("\"1x\"").integer(), Error);
  EXPECT_THROW(Json::parse("1.5").integer(), Error);
  EXPECT_THROW(Json::parse("\"yes\"").boolean(), Error);
}

TEST(BackendConfig, TensorsAndParameters) {
  const ModelConfig config(R"({"max_batch_size": 4, "parameters": {"n": {"string_value": "12"}, "plain": "on"},
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": ["3", "-1"], "optional": true},
              {"name": "r", "data_type": "TYPE_STRING", "dims": ["1"], "reshape": {"shape": []}}]})");
  const auto inputs = config.inputs();
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_THAT(inputs[0].shape, ElementsAre(-1, 3, -1));
  EXPECT_EQ(inputs[0].dtype, MM_FP32);
  EXPECT_TRUE(inputs[0].optional);
  EXPECT_THAT(inputs[1].shape, ElementsAre(-1));
  EXPECT_EQ(inputs[1].dtype, MM_STRING);
  EXPECT_TRUE(config.outputs().empty());
  EXPECT_EQ(config.parameter_int("n", 0), 12);
  EXPECT_EQ(config.parameter("plain"), "on");
  EXPECT_EQ(config.parameter("nope"), std::nullopt);
  EXPECT_EQ(config.parameter_int("nope", 5), 5);
  try {
    config.parameter_int("plain", 0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("parameter 'plain'"));
  }
}

TEST(BackendOwner, DestroysWithTheLastShare) {
  auto counted = std::make_shared<int>(1);
  void* lent = nullptr;
  {
    const Owner owner = Owner::of(counted);
    lent = owner.lend();
    const Owner copy = owner;
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 2);
  Owner::release(lent);
  EXPECT_EQ(counted.use_count(), 1);
  Owner::release(Owner().lend());
}

TEST(BackendBuffer, IsAligned) {
  Buffer buffer;
  for (uint64_t size : {0, 1, 64, 1000, 100'000, 10})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.reserve(size)) % kAlignment, 0u);
}

TEST(BackendDtype, Names) {
  EXPECT_EQ(parse_dtype("TYPE_BF16"), MM_BF16);
  EXPECT_EQ(parse_dtype("BYTES"), MM_STRING);
  EXPECT_EQ(parse_dtype("float"), MM_DTYPE_INVALID);
}

}  // namespace
}  // namespace modelmill::backend
