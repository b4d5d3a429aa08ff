#include "repository/lint_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<ModelFormat> kLintFormats{{"onnxruntime", "model.onnx", {".onnx"}}, {"identity", "", {}}};

std::vector<std::string> texts(const LintReport& report) {
  std::vector<std::string> out;
  for (const ConfigProblem& problem : report.problems) out.push_back(status_of(problem).message());
  return out;
}

TEST(LintModels, NothingIsWrongWithGoodOnes) {
  const TempFolder folder;
  folder.write("a.onnx");
  folder.write("b/1/net.onnx");
  const LintReport report = lint_models({folder.path()}, kLintFormats);
  EXPECT_THAT(texts(report), IsEmpty());
  ASSERT_EQ(report.models.size(), 2U);
  EXPECT_EQ(report.models[0].definition.backend, "onnxruntime");
  EXPECT_EQ(report.models[1].backend_from, "its file net.onnx");
}

TEST(LintModels, AllThatIsWrongIsTold) {
  const TempFolder folder;
  folder.write("a/config.pbtxt", "max_batchsize: 4\nmax_batch_size: -1\ninput { nme: 'x' }");
  folder.write("a/1/model.onnx");
  folder.write("b/config.pbtxt", "max_batch_size: -1\ninput { name: 'x' }\noutput { dims: [1] }");
  folder.write("b/1/model.onnx");
  folder.write("c/modelmill.yaml", "swop: resource\npinned: 3");
  folder.write("c/1/model.onnx");
  folder.write("d/config.pbtxt", "version_policy { specific { versions: [1, 4] } }");
  folder.write("d/1/other.bin");
  folder.write("e/config.pbtxt", "");
  folder.write("good/1/model.onnx");
  const LintReport report = lint_models({folder.path()}, kLintFormats);
  EXPECT_THAT(texts(report),
              ElementsAre(HasSubstr("a/config.pbtxt:1:1: unknown field 'max_batchsize'"),
                          HasSubstr("a/config.pbtxt:3:9: unknown field 'nme' in ModelInput; did you mean 'name'?"),
                          HasSubstr("b/config.pbtxt:1:1: max_batch_size: 'max_batch_size' must be non-negative"),
                          HasSubstr("b/config.pbtxt:2:1: input[0]: model input 'x' must specify 'data_type'"),
                          HasSubstr("b/config.pbtxt:3:1: output[0]: model output must specify 'name'"),
                          HasSubstr("c/modelmill.yaml:1:1: unknown key 'swop'"),
                          HasSubstr("c/modelmill.yaml:2:9: 'pinned' is '3'"),
                          HasSubstr("d/config.pbtxt:1:1: model 'd': version 4 is not there"),
                          HasSubstr("d/1: model 'd': no model file in"), HasSubstr("e: model 'e' has no version")));
  ASSERT_EQ(report.models.size(), 1U);
  EXPECT_EQ(report.models[0].definition.name, "good");
}

TEST(LintModels, FilesAreLookedAtWhereTheConfigurationHasProblemsToo) {
  const TempFolder folder;
  folder.write("a/config.pbtxt", "max_batch_size: -1\ndefault_model_filename: 'gone.onnx'");
  folder.write("a/1/model.onnx");
  folder.write("b/config.pbtxt", "max_batchsize: 4\ndefault_model_filename: 'gone.onnx'");
  folder.write("b/1/model.onnx");
  folder.write("c/modelmill.yaml", "swop: resource\nfile: gone.onnx");
  folder.write("c/1/model.onnx");
  folder.write("d/config.pbtxt", "max_batch_size: -1\nversion_policy { specific { versions: [1, 4] } }");
  folder.write("d/1/model.onnx");
  EXPECT_THAT(texts(lint_models({folder.path()}, kLintFormats)),
              ElementsAre(HasSubstr("'max_batch_size' must be non-negative"), HasSubstr("a/1/gone.onnx' of default_"),
                          HasSubstr("unknown field 'max_batchsize'"), HasSubstr("b/1/gone.onnx' of default_"),
                          HasSubstr("unknown key 'swop'"), HasSubstr("c/1/gone.onnx' of default_"),
                          HasSubstr("'max_batch_size' must be non-negative"), HasSubstr("version 4 is not there")));
}

TEST(LintModels, WhatMayBeWrongOnlyBecauseOfAnotherProblemIsNotTold) {
  const TempFolder folder;
  folder.write("a/config.pbtxt", "bakend: 'identity'");
  folder.write("a/1/other.bin");
  folder.write("b/modelmill.yaml", "backend: [identity]");
  folder.write("b/1/other.bin");
  folder.write("c/config.pbtxt", "max_batchsize: 4\nbackend: 'identity'");
  folder.write("c/1/other.bin");
  EXPECT_THAT(texts(lint_models({folder.path()}, kLintFormats)),
              ElementsAre(HasSubstr("did you mean 'backend'?"), HasSubstr("'backend' is a list"),
                          HasSubstr("unknown field 'max_batchsize'")));
}

TEST(LintModels, WhatHasNoEffectIsNotedAndNoProblem) {
  const TempFolder folder;
  const std::string config = folder.write("a/config.pbtxt", R"(instance_group { count: 1 host_policy: "one"
rate_limiter { priority: 2 } }
cc_model_filenames { key: "7.5" value: "other.onnx" }
model_metrics { metric_control { metric_identifier { family: "f" } histogram_options { buckets: [1, 2] } } metric_control {
metric_identifier { family: "nv_inference_first_response_histogram_ms" } histogram_options { buckets: [1, 2] } } }
)");
  folder.write("a/1/model.onnx");
  const LintReport report = lint_models({folder.path()}, kLintFormats);
  EXPECT_THAT(texts(report), IsEmpty());
  EXPECT_EQ(report.models.size(), 1U);
  std::vector<std::string> notes;
  for (const ConfigProblem& note : report.notes) notes.push_back(status_of(note).message());
  EXPECT_THAT(notes,
              ElementsAre(HasSubstr(config + ":1:27: instance_group[0].host_policy: 'host_policy' has no effect"),
                          HasSubstr(config + ":3:1: cc_model_filenames: 'cc_model_filenames' has no effect"),
                          HasSubstr("metric_control[0]: 'metric_control' has no effect")));
}

TEST(LintModels, APathThatIsSpoiltDoesNotHideTheOthers) {
  const TempFolder folder;
  folder.write("bad.yaml", "models: []\nfoo: 1\nbar: 2");
  folder.write("m/config.pbtxt", "max_batch_size: -1");
  folder.write("m/1/model.onnx");
  EXPECT_THAT(texts(lint_models({folder / "bad.yaml", folder / "nowhere", folder / "m"}, kLintFormats)),
              ElementsAre(HasSubstr("bad.yaml:2:1: unknown key 'foo'"), HasSubstr("bad.yaml:3:1: unknown key 'bar'"),
                          HasSubstr("nowhere: there is no file or folder"), HasSubstr("m/config.pbtxt:1:1: ")));
}

}  // namespace
}  // namespace modelmill
