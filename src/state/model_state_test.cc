#include "state/model_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "state/file_store.h"
#include "state/testing/store_folder.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

TEST(ModelState, ReadsWhatItWrites) {
  ModelState everything{
      {{"stable", 3}, {"can\"ary", 4}}, 3, ModelState::Asked::kLoaded, R"({"x": 1.10000000000000001})"};
  ModelState unloaded;
  unloaded.asked = ModelState::Asked::kUnloaded;
  for (const ModelState& state : {ModelState(), everything, unloaded}) {
    const auto read = parse_model_state(model_state_text(state));
    ASSERT_TRUE(read.ok()) << read.status().to_string();
    EXPECT_EQ(*read, state);
  }
  EXPECT_EQ(model_state_text(unloaded), R"({"format":1,"asked":"unloaded"})");
}

TEST(ModelState, WhatItDoesNotRead) {
  const std::pair<const char*, Code> table[] = {
      {R"({"format":2})", Code::kFailedPrecondition},
      {R"({"format":1,"pinned":true})", Code::kFailedPrecondition},
      {R"({})", Code::kDataLoss},
      {R"([])", Code::kDataLoss},
      {R"({"format":1,"asked":"maybe"})", Code::kDataLoss},
      {R"({"format":1,"labels":{"stable":"3"}})", Code::kDataLoss},
      {R"({"format":1,"default_version":1.5})", Code::kDataLoss},
  };
  for (const auto& [text, code] : table) EXPECT_EQ(parse_model_state(text).status().code(), code) << text;
}

class ModelStatesTest : public testing::Test {
 protected:
  const StoreFolder folder_;
  const std::unique_ptr<FileStore> store_ = *FileStore::open(folder_.path());
  const ModelStates states_{*store_};
};

Status set_label(ModelState& state, const std::string& label, int64_t version) {
  state.labels[label] = version;
  return ok_status();
}

TEST_F(ModelStatesTest, KeepsWhatWasDecided) {
  EXPECT_EQ(*states_.read("ocr"), ModelState());
  ASSERT_TRUE(states_.update("ocr", [](ModelState& state) { return set_label(state, "stable", 3); }).ok());
  ASSERT_TRUE(states_.update("ocr", [](ModelState& state) { return set_label(state, "canary", 4); }).ok());
  ASSERT_TRUE(states_.update("vad", [](ModelState& state) { return set_label(state, "stable", 1); }).ok());
  const auto again = *FileStore::open(folder_.path());
  EXPECT_EQ(ModelStates(*again).read("ocr")->labels, (std::map<std::string, int64_t>{{"stable", 3}, {"canary", 4}}));
  EXPECT_EQ(ModelStates(*again).read_all()->size(), 2U);
}

TEST_F(ModelStatesTest, NothingDecidedTakesNoEntry) {
  ASSERT_TRUE(states_.update("ocr", [](ModelState& state) { return set_label(state, "stable", 3); }).ok());
  ASSERT_TRUE(states_.update("ocr", [](ModelState& state) { return state = {}, ok_status(); }).ok());
  EXPECT_TRUE(store_->list("")->empty());
}

TEST_F(ModelStatesTest, AnOverrideGoesWithTheUnload) {
  const auto asked = [&](ModelState::Asked what) {
    return states_.update("ocr", [what](ModelState& state) {
      state.asked = what;
      if (what == ModelState::Asked::kLoaded) state.config_override = "{}";
      return ok_status();
    });
  };
  EXPECT_EQ(asked(ModelState::Asked::kLoaded)->config_override, "{}");
  EXPECT_EQ(asked(ModelState::Asked::kUnloaded)->config_override, "");
}

TEST_F(ModelStatesTest, AnErrorOfTheChangeWritesNothing) {
  const auto refused = states_.update("ocr", [](ModelState& state) {
    state.default_version = 9;
    return not_found("there is no version 9");
  });
  EXPECT_EQ(refused.status().code(), Code::kNotFound);
  EXPECT_EQ(*states_.read("ocr"), ModelState());
}

TEST_F(ModelStatesTest, WritersAtOnceLoseNothing) {
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([this, i] {
      for (int64_t n = 0; n < 20; ++n) {
        const std::string label = "l" + std::to_string(i) + "_" + std::to_string(n);
        EXPECT_TRUE(states_.update("ocr", [&](ModelState& state) { return set_label(state, label, n); }).ok());
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(states_.read("ocr")->labels.size(), 80U);
}

TEST_F(ModelStatesTest, ALaterReleasesStateStays) {
  ASSERT_TRUE(store_->compare_and_put("models/ocr", R"({"format":2})", 0).ok());
  const auto refused = states_.update("ocr", [](ModelState& state) { return set_label(state, "stable", 3); });
  EXPECT_EQ(refused.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr("model 'ocr': its format is 2, and this release reads format 1"));
  EXPECT_EQ((*store_->get("models/ocr"))->value, R"({"format":2})");
}

}  // namespace
}  // namespace modelmill
