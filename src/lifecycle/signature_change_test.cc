#include "lifecycle/signature_change.h"

#include <gtest/gtest.h>

#include <memory>

namespace modelmill {
namespace {

TensorSpec spec(const char* name, Shape shape, DataType dtype = DataType::kFp32, bool optional = false) {
  return {name, dtype, std::move(shape), {}, optional};
}

const Signature kBefore = {{spec("x", {-1, 3}), spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10})}};

struct Case {
  Signature after;
  const char* change;
};

TEST(SignatureChangeTest, NamesWhatWouldBreakClients) {
  const Case cases[] = {
      {kBefore, ""},
      {{{spec("x", {-1, -1}), spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10}), spec("z", {1})}}, ""},
      {{{spec("x", {-1, 3}), spec("o", {-1}, DataType::kInt64, true), spec("p", {1}, DataType::kBool, true)},
        {spec("y", {-1, 10})}},
       ""},
      {{{spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10})}}, "input 'x' is gone"},
      {{{spec("x", {-1, 3}, DataType::kFp64), spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10})}},
       "input 'x' has type FP64, was FP32"},
      {{{spec("x", {-1, 4}), spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10})}},
       "input 'x' has shape [-1,4], was [-1,3]"},
      {{{spec("x", {8, 3}), spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10})}},
       "input 'x' has shape [8,3], was [-1,3]"},
      {{{spec("x", {3}), spec("o", {-1}, DataType::kInt64, true)}, {spec("y", {-1, 10})}},
       "input 'x' has shape [3], was [-1,3]"},
      {{{spec("x", {-1, 3}), spec("o", {-1}, DataType::kInt64)}, {spec("y", {-1, 10})}},
       "input 'o' can't be left out any more"},
      {{{spec("x", {-1, 3}), spec("o", {-1}, DataType::kInt64, true), spec("p", {1})}, {spec("y", {-1, 10})}},
       "input 'p' is new and necessary"},
      {{kBefore.inputs, {}}, "output 'y' is gone"},
      {{kBefore.inputs, {spec("y", {-1, 10}, DataType::kFp16)}}, "output 'y' has type FP16, was FP32"},
      {{kBefore.inputs, {spec("y", {-1, 11})}}, "output 'y' has shape [-1,11], was [-1,10]"},
      {{kBefore.inputs, {spec("y", {-1, -1})}}, "output 'y' has shape [-1,-1], was [-1,10]"},
      {{kBefore.inputs, {spec("y", {4, 10})}}, ""},
  };
  for (const Case& c : cases) EXPECT_EQ(breaking_change(kBefore, c.after), c.change);
  EXPECT_EQ(breaking_change(kBefore, {{}, {}, true}), "") << "it takes any inputs now";
  EXPECT_EQ(breaking_change({{}, {}, true}, kBefore), "it took any inputs, and takes its own alone now");
  EXPECT_TRUE(same_signature(kBefore, kBefore));
  EXPECT_FALSE(same_signature(kBefore, cases[1].after)) << "one that takes more";
  EXPECT_FALSE(same_signature(cases[1].after, kBefore));
}

TEST(SignatureChangeTest, NamesWhichOfSeveralSignatures) {
  class Idle final : public ModelVersion {
   public:
    using ModelVersion::ModelVersion;
    void submit(InferRequestPtr) override {}
  };
  MetricRegistry metrics;
  const auto stats = std::make_shared<VersionStats>(metrics, "m", 1);
  const auto entry = [&](const char* name, Signature signature) {
    ModelVersion::Description description;
    description.signature = std::move(signature);
    description.signature_name = name;
    return std::make_shared<Idle>(std::move(description), stats);
  };
  const auto version = [&](const char* other, Signature signature) {
    auto out = entry("first", kBefore);
    out->add_signature(entry(other, std::move(signature)));
    return out;
  };
  const auto before = version("second", kBefore);
  EXPECT_EQ(breaking_change(*before, *version("second", kBefore)), "");
  EXPECT_EQ(breaking_change(*before, *version("third", kBefore)), "signature 'second' is gone");
  EXPECT_EQ(breaking_change(*before, *version("second", {kBefore.inputs, {}})),
            "signature 'second': output 'y' is gone");
}

}  // namespace
}  // namespace modelmill
