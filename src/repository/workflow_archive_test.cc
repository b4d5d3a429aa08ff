#include "repository/workflow_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "repository/find_models.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kManifest =
    R"({"createdOn": "1", "archiverVersion": "0.2.14", "workflow": {"workflowName": "wf", "specFile": "wf.yaml",
        "handler": "wf_handler.py"}})";

class WorkflowFolder {
 public:
  explicit WorkflowFolder(const std::string& spec, const std::string& manifest = kManifest) {
    folder_.write("WAR-INF/MANIFEST.json", manifest);
    folder_.write("wf.yaml", spec);
    folder_.write("wf_handler.py", "def pre(data, context): return data\n");
  }
  Result<WorkflowArchive> read(const std::string& name = "") const {
    return read_workflow_archive(folder_.path(), name);
  }
  std::string refusal() const {
    const auto archive = read();
    EXPECT_EQ(archive.status().code(), Code::kInvalidArgument);
    return archive.status().message();
  }
  const TempFolder& folder() const { return folder_; }

 private:
  TempFolder folder_;
};

TEST(WorkflowArchive, HasModelsAndFunctionsOfAGraph) {
  const WorkflowFolder folder(
      "models:\n  min-workers: 1\n  max-workers: 4\n  batch-size: 3\n  max-batch-delay: 5000\n"
      "  retry-attempts: 3\n  timeout-ms: 700\n"
      "  m1: {url: model1.mar, max-workers: 2, batch-size: 4}\n  m2:\n    url: http://host/m2.mar\n"
      "    retry-attempts: 0\n    timeout-ms: 9\n"
      "dag:\n  pre: [m1, m2]\n  m1: [sum]\n  m2: [sum]\n  sum: ['']\n");
  const auto archive = folder.read();
  ASSERT_TRUE(archive.ok()) << archive.status().message();
  EXPECT_EQ(archive->name, "wf");
  EXPECT_EQ(archive->dag, "{pre=[m1, m2], m1=[sum], m2=[sum], sum=[null]}");
  EXPECT_EQ(archive->settings.batch_size, 3);
  ASSERT_EQ(archive->nodes.size(), 4U);
  const auto& pre = archive->nodes[0];
  const auto& m1 = archive->nodes[1];
  const auto& m2 = archive->nodes[2];
  const auto& sum = archive->nodes[3];
  EXPECT_EQ(pre.name, "pre");
  EXPECT_EQ(pre.url, "");
  EXPECT_EQ(pre.inputs, 0U);
  EXPECT_THAT(pre.next, ElementsAre(1, 2));
  EXPECT_EQ(m1.url, "model1.mar");
  EXPECT_EQ(m1.settings.batch_size, 4);
  EXPECT_EQ(m1.settings.max_workers, 2);
  EXPECT_EQ(m1.settings.retries, 3);
  EXPECT_EQ(m1.settings.timeout.count(), 700);
  EXPECT_EQ(m2.url, "http://host/m2.mar");
  EXPECT_EQ(m2.settings.retries, 0);
  EXPECT_EQ(m2.settings.timeout.count(), 9);
  EXPECT_EQ(sum.inputs, 2U);
  EXPECT_THAT(sum.next, IsEmpty());
}

TEST(WorkflowArchive, MayBeCalledOtherwise) {
  const auto archive = WorkflowFolder("dag:\n  pre: [post]\n").read("mine");
  ASSERT_TRUE(archive.ok()) << archive.status().message();
  EXPECT_EQ(archive->name, "mine");
  EXPECT_EQ(workflow_model_name(archive->name, archive->nodes[0].name), "mine__pre");
  EXPECT_EQ(archive->nodes[0].settings.timeout.count(), 10'000);
  EXPECT_EQ(archive->nodes[0].settings.retries, 1);
}

TEST(WorkflowArchive, GraphsThatCanNotBeRunAreTold) {
  EXPECT_THAT(WorkflowFolder("dag:\n  a: [c]\n  b: [c]\n").refusal(),
              HasSubstr("DAG should have only one start node; "));
  EXPECT_THAT(WorkflowFolder("dag:\n  a: [c]\n  b: [c]\n").refusal(), HasSubstr("leads to a, b"));
  EXPECT_THAT(WorkflowFolder("dag:\n  a: [b]\n  b: [a]\n").refusal(), HasSubstr("every node follows another one"));
  EXPECT_THAT(WorkflowFolder("dag:\n  a: [b]\n  b: [c]\n  c: [b]\n").refusal(),
              testing::AllOf(testing::StartsWith("DAG has a loop"), HasSubstr("among b, c")));
  EXPECT_THAT(WorkflowFolder("dag:\n  a: [a]\n").refusal(), testing::StartsWith("DAG should have only one start"));
}

TEST(WorkflowArchive, WhatIsWrongIsNamedWithItsPlace) {
  EXPECT_THAT(WorkflowFolder("models: {m: {}}\ndag: {m: []}\n").refusal(), HasSubstr("with the 'url' of its archive"));
  EXPECT_THAT(WorkflowFolder("models: {m: 3}\ndag: {m: []}\n").refusal(), HasSubstr("model 'm' must be a map"));
  EXPECT_THAT(WorkflowFolder("models:\n  timeout-ms: soon\ndag: {m: []}\n").refusal(),
              HasSubstr("wf.yaml:2:15: 'timeout-ms' must be a whole number from 1 to"));
  EXPECT_THAT(WorkflowFolder("models: {retry-attempts: 1000}\ndag: {m: []}\n").refusal(), HasSubstr("from 0 to 100"));
  EXPECT_THAT(WorkflowFolder("models: {}\n").refusal(), HasSubstr("'dag' must be a map of nodes"));
  EXPECT_THAT(WorkflowFolder("dag: {a: b}\n").refusal(), HasSubstr("what follows node 'a' must be a list"));
  EXPECT_THAT(WorkflowFolder("dag: {a: [{b: c}]}\n").refusal(), HasSubstr("must be the name of a model or function"));
  EXPECT_THAT(WorkflowFolder("dag: {../a: [b]}\n").refusal(), HasSubstr("node '../a' can't be served"));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "b,";
  EXPECT_THAT(WorkflowFolder("dag: {a: [" + many + "]}\n").refusal(), HasSubstr("more than 256 nodes follow node 'a'"));
  EXPECT_THAT(WorkflowFolder("a: [").refusal(), HasSubstr("wf.yaml:"));
}

TEST(WorkflowArchive, ManifestsMustSayWhatTorchServeAsks) {
  const std::string spec = "dag: {a: [b]}\n";
  EXPECT_THAT(WorkflowFolder(spec, "{}").refusal(), HasSubstr("Workflow name is not defined."));
  EXPECT_THAT(WorkflowFolder(spec, R"({"workflow": {"workflowName": "wf"}})").refusal(),
              HasSubstr("Workflow archive version is not defined."));
  EXPECT_THAT(WorkflowFolder(spec, R"({"createdOn": "1", "archiverVersion": "1", "workflow": {"workflowName": "wf",
                              "specFile": "../wf.yaml"}})")
                  .refusal(),
              HasSubstr("../wf.yaml"));
  EXPECT_THAT(WorkflowFolder(spec, R"({"createdOn": "1", "archiverVersion": "1", "workflow": {"workflowName": "wf",
                              "specFile": "none.yaml"}})")
                  .refusal(),
              HasSubstr("'specFile' names 'none.yaml', which is not in the archive"));
  EXPECT_THAT(WorkflowFolder(spec, R"({"createdOn": "1", "archiverVersion": "1", "workflow": {"workflowName": "wf",
                              "specFile": "wf.yaml"}})")
                  .refusal(),
              HasSubstr("node 'a' of 'dag' is none of 'models', and the archive has no handler"));
  const TempFolder empty;
  EXPECT_THAT(read_workflow_archive(empty.path(), "").status().message(), HasSubstr("it is no workflow archive"));
}

TEST(WorkflowArchive, AFunctionIsAModelOfPython) {
  const WorkflowFolder folder("dag: {pre: [post]}\n");
  const auto archive = folder.read();
  ASSERT_TRUE(archive.ok());
  const std::vector<ModelFormat> formats{{"python", "", {}}};
  const FoundModel model = workflow_function(*archive, archive->nodes[1], folder.folder().path(), formats);
  ASSERT_TRUE(model.problem.ok()) << model.problem.message();
  const auto definition = read_definition(model);
  ASSERT_TRUE(definition.ok()) << definition.status().message();
  EXPECT_EQ(definition->name, "wf__post");
  EXPECT_EQ(definition->backend, "python");
  EXPECT_EQ(definition->parameters.at("workflow_function"), "post");
  EXPECT_EQ(model.versions[0].file, archive->manifest);
  const FoundModel without = workflow_function(*archive, archive->nodes[1], folder.folder().path(), {});
  EXPECT_THAT(without.problem.message(), HasSubstr("function post of a workflow of TorchServe's"));
}

TEST(WorkflowArchive, AFolderOfThemIsNoModel) {
  const TempFolder folder;
  folder.write("wf.war", "zip");
  const auto found = find_models({folder.path(), folder / "wf.war"}, {});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_THAT(found->models, IsEmpty());
}

}  // namespace
}  // namespace modelmill
