#include "tensor_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modelmill/backend.hpp"
#include "pytree.h"

namespace modelmill::pytorch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string refusal(const std::vector<std::string>& configured, const std::vector<std::string>& own) {
  try {
    match_names(configured, own, "input");
  } catch (const backend::Error& e) {
    return e.what();
  }
  return "nothing is wrong";
}

TEST(TensorNames, AreTheModelsOwnElseTellTheirPlaceElseStandInOrder) {
  EXPECT_THAT(match_names({"b", "a"}, {"a", "b"}, "input"), ElementsAre(1, 0));
  EXPECT_THAT(match_names({"INPUT__1", "INPUT__0"}, {"a", "b"}, "input"), ElementsAre(1, 0));
  EXPECT_THAT(match_names({"left__1", "right__0"}, {"a", "b"}, "input"), ElementsAre(1, 0));
  EXPECT_THAT(match_names({"x", "y"}, {"a", "b"}, "input"), ElementsAre(0, 1));
  EXPECT_THAT(match_names({"b", "y"}, {"a", "b"}, "input"), ElementsAre(0, 1));
  EXPECT_THAT(match_names({"x__0", "y"}, {"a", "b"}, "input"), ElementsAre(0, 1));
}

TEST(TensorNames, ThatMeanNothingAreTold) {
  EXPECT_THAT(refusal({"x", "y"}, {"a"}), HasSubstr("input 'y' of the configuration would be number 1 (from 0)"));
  EXPECT_THAT(refusal({"x__7"}, {"a"}), HasSubstr("would be number 7 (from 0), but the model has 1 inputs"));
  EXPECT_THAT(refusal({"x__0", "y__0"}, {"a", "b"}), HasSubstr("'y__0' of the configuration is number 0, as another"));
}

TEST(TensorNames, ThePlaceInAName) {
  EXPECT_EQ(place_in_name("INPUT__12"), 12U);
  EXPECT_EQ(place_in_name("a__b__3"), 3U);
  for (const char* none : {"INPUT__", "__1", "INPUT_1", "INPUT__1x", "INPUT__-1", ""})
    EXPECT_FALSE(place_in_name(none).has_value()) << none;
}

TEST(Pytree, NamesAreKeysAndPlacesBelowThem) {
  const auto node = [](const std::string& type, const std::string& context, const std::string& children) {
    return R"({"type": ")" + type + R"(", "context": ")" + context + R"(", "children_spec": [)" + children + "]}";
  };
  const std::string leaf = R"({"type": null, "context": null, "children_spec": []})";
  const std::string pair = node("builtins.tuple", "null", leaf + "," + leaf);
  const std::string named = node("builtins.dict", R"([\"scale\", \"points\"])", leaf + "," + pair);
  EXPECT_THAT(pytree_names("[1, " + node("builtins.tuple", "null", pair + "," + named) + "]"),
              ElementsAre("", "", "scale", "points.0", "points.1"));
  EXPECT_THAT(pytree_names("[1, " + leaf + "]"), ElementsAre(""));
  for (const char* none : {"", "[1]", "{}", "nonsense"}) EXPECT_THAT(pytree_names(none), IsEmpty()) << none;
}

}  // namespace
}  // namespace modelmill::pytorch
