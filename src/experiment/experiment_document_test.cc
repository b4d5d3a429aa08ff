#include "experiment/experiment_document.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

Experiment whole() {
  Experiment experiment;
  experiment.number = 7;
  experiment.started_at = "2026-01-31T12:00:00Z";
  experiment.started_by = "127.0.0.1";
  experiment.definition =
      parse_experiment_request(R"({"route":"r","goal":"g","control":"m@1","guardrails":["x<=+1.25pp"]})").value();
  experiment.arms = {{"m@1", 0.6}, {"m@2", 0.4}};
  experiment.assignment = 0xFEDCBA9876543211ULL;
  experiment.phase = ExperimentPhase::kDeployed;
  experiment.verdict = ExperimentVerdict::kWinner;
  experiment.verdict_arm = 1;
  experiment.why = "it is \"better\"";
  experiment.decided_at = experiment.ended_at = "2026-02-01T12:00:00Z";
  experiment.ended_by = "modelmill";
  experiment.deployed = "m@2";
  experiment.is_placed = false;
  experiment.results = R"({"a":[1,2]})";
  return experiment;
}

TEST(ExperimentDocumentTest, ItIsReadAsItWasWritten) {
  const ExperimentDocument document{
      whole(), ExperimentWish{R"({"route":"r"})", "a.yaml", "a.yaml:7:5", ExperimentWishState::kStopped, 7, "so"}};
  const auto read = parse_experiment_document(experiment_document_text(document));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, document);
  EXPECT_EQ(*parse_experiment_document(experiment_document_text({})), ExperimentDocument());
  const ExperimentDocument wished{{}, ExperimentWish{"{}", "a.yaml", "a.yaml:7:5"}};
  EXPECT_EQ(*parse_experiment_document(experiment_document_text(wished)), wished);
}

TEST(ExperimentDocumentTest, WhatALaterReleaseWroteIsLeftToIt) {
  const auto code = [](const std::string& text) { return parse_experiment_document(text).status().code(); };
  EXPECT_EQ(code(R"({"format":2})"), Code::kFailedPrecondition);
  EXPECT_EQ(code(R"({"format":1,"more":1})"), Code::kFailedPrecondition);
  EXPECT_EQ(code("no"), Code::kDataLoss);
  std::string text = experiment_document_text({whole()});
  text.replace(text.find("\"winner\""), 8, "\"wonder\"");
  EXPECT_EQ(code(text), Code::kDataLoss);
}

}  // namespace
}  // namespace modelmill
