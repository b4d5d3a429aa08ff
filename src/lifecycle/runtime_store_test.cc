#include "lifecycle/runtime_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

RuntimeKnowledge example() {
  RuntimeKnowledge known;
  known.batching = BatchingDecision{"", 64, 16};
  known.report.tolerance = 1e-4;
  known.report.candidates = {{{"onnxruntime", 1, 2}, "ONNX Runtime 1.32.0", {{1, 3761.5, 0.53}, {2, 3000, 1.2}}, 0, ""},
                             {{"openvino", 2, 1, "bf16"}, "OpenVINO 2026.4", {}, 0.25, "output 'y'\nis too far"}};
  known.report.candidates[0].seen = "clients got more";
  known.report.chosen = {"onnxruntime", 1, 2};
  known.report.reason = "it is the best";
  return known;
}

TEST(RuntimeStore, GivesBackWhatWasKept) {
  const TempFolder folder;
  const RuntimeStore store(folder.path() + "/deep/costs");
  EXPECT_EQ(store.read("key"), nullptr);
  ASSERT_TRUE(store.write("key", example()).ok());
  const auto known = store.read("key");
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->batching->rows, 64);
  EXPECT_EQ(known->batching->open_size, 16);
  EXPECT_EQ(known->report.tolerance, 1e-4);
  EXPECT_EQ(known->report.chosen, (RuntimeLayout{"onnxruntime", 1, 2}));
  EXPECT_EQ(known->report.reason, "it is the best");
  ASSERT_EQ(known->report.candidates.size(), 2U);
  const RuntimeCandidate& first = known->report.candidates[0];
  EXPECT_EQ(first.runtime, "ONNX Runtime 1.32.0");
  EXPECT_EQ(first.seen, "clients got more");
  ASSERT_EQ(first.timings.size(), 2U);
  EXPECT_DOUBLE_EQ(first.timings[0].rows_per_second, 3761.5);
  EXPECT_EQ(known->report.candidates[1].excluded, "output 'y' is too far");
  EXPECT_EQ(known->report.candidates[1].distance, 0.25);
  EXPECT_EQ(known->report.candidates[1].layout, (RuntimeLayout{"openvino", 2, 1, "bf16"}));
}

TEST(RuntimeStore, WithoutAFolderNothingIsKept) {
  const RuntimeStore store("");
  EXPECT_FALSE(store.keeps());
  EXPECT_TRUE(store.write("key", example()).ok());
  EXPECT_EQ(store.read("key"), nullptr);
}

TEST(RuntimeStore, WhatIsCutOffIsNothing) {
  const std::string text = runtimes_text(example());
  ASSERT_NE(parse_runtimes(text), nullptr);
  for (size_t length = 0; length + 1 < text.size(); ++length)
    EXPECT_EQ(parse_runtimes(text.substr(0, length)), nullptr) << length;
}

TEST(RuntimeStore, NonsenseIsNothing) {
  const std::string text = runtimes_text(example());
  const auto with = [&](const std::string& part, const std::string& other) {
    std::string changed = text;
    changed.replace(changed.find(part), part.size(), other);
    return parse_runtimes(changed);
  };
  EXPECT_EQ(with("runtimes 2", "runtimes 1"), nullptr);
  EXPECT_EQ(with("timing 1 3761.5", "timing 1 -3761.5"), nullptr);
  EXPECT_EQ(with("timing 1 3761.5", "timing 0 3761.5"), nullptr);
  EXPECT_EQ(with("layout onnxruntime 1 2", "layout onnxruntime 0 2"), nullptr);
  EXPECT_EQ(with("batching 64", "batching 0"), nullptr);
  EXPECT_EQ(with("chosen onnxruntime", "chosen another"), nullptr);
  EXPECT_EQ(with("chosen onnxruntime 1 2", "chosen openvino 2 1"), nullptr);
  EXPECT_EQ(with("reason", "rhyme"), nullptr);
}

}  // namespace
}  // namespace modelmill
