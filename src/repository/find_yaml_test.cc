// Models that are found through a modelmill.yaml.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "repository/find_models.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<ModelFormat> kYamlFormats{{"onnxruntime", "model.onnx", {".onnx"}}, {"identity", "", {}}};

std::vector<std::string> names(const Result<FoundModels>& found) {
  EXPECT_TRUE(found.ok()) << found.status().to_string();
  std::vector<std::string> out;
  for (const FoundModel& model : found->models) out.push_back(model.name);
  return out;
}

TEST(FindYaml, AListOfModels) {
  const TempFolder folder;
  folder.write("store/net.onnx");
  folder.write("ocr/1/model.onnx");
  folder.write("ocr/2/model.onnx");
  folder.write("unlisted/1/model.onnx");
  folder.write("modelmill.yaml", R"(
models:
  - {name: reader, path: ocr, versions: all, labels: {stable: 1}}
  - {path: store/net.onnx, batching: off}
  - {name: ocr, swap: resource}
)");
  for (const std::string& path : {folder.path(), folder / "modelmill.yaml"}) {
    const auto found = find_models({path}, kYamlFormats);
    ASSERT_THAT(names(found), ElementsAre("net", "ocr", "reader"));
    const auto net = read_definition(found->models[0]);
    EXPECT_EQ(net->max_batch_size, 0);
    EXPECT_EQ(found->models[0].versions[0].file, folder / "store/net.onnx");
    EXPECT_EQ(read_definition(found->models[1])->swap, SwapPolicy::kResource);
    const auto reader = read_definition(found->models[2]);
    EXPECT_EQ(reader->name, "reader");
    EXPECT_EQ(reader->labels.at("stable"), 1);
    EXPECT_EQ(reader->version_policy.kind, VersionPolicy::Kind::kAll);
    EXPECT_EQ(found->models[2].directory, folder / "ocr");
    EXPECT_THAT(found->models[2].config_files, ElementsAre(folder / "modelmill.yaml"));
  }
}

TEST(FindYaml, WhatCameFromElsewhereLeadsNowhereElse) {
  const TempFolder folder;
  folder.write("outside.onnx");
  folder.write("copy/inside/net.onnx");
  folder.write("copy-of-another/net.onnx");
  FindOptions options;
  options.bounds = [&](const std::string&) { return folder / "copy"; };
  for (const std::string& target : {folder / "outside.onnx", std::string("../outside.onnx"), std::string(".."),
                                    std::string("../copy-of-another")}) {
    folder.write("copy/modelmill.yaml", "models: [{name: m, path: " + target + "}]");
    const auto found = find_models({folder / "copy"}, kYamlFormats, options);
    ASSERT_THAT(names(found), ElementsAre("m")) << target;
    EXPECT_THAT(found->models[0].problem.message(),
                HasSubstr("path '" + target + "' leaves the folder that came with"));
    EXPECT_THAT(found->models[0].versions, IsEmpty());
  }
  folder.write("copy/modelmill.yaml", "models: [{name: m, path: inside}]");
  EXPECT_TRUE(find_models({folder / "copy"}, kYamlFormats, options)->models.at(0).problem.ok());
}

TEST(FindYaml, AProblemOfAnEntryIsItsOwn) {
  const TempFolder folder;
  folder.write("good.onnx");
  const std::string file = folder.write("modelmill.yaml", R"(models:
  - path: good.onnx
  - {name: bad, path: good.onnx, instanses: 2}
  - {name: gone, path: no.onnx}
)");
  const auto found = find_models({folder.path()}, kYamlFormats);
  ASSERT_THAT(names(found), ElementsAre("bad", "gone", "good"));
  EXPECT_EQ(found->models[0].problem.message(),
            file + ":3:34: unknown key 'instanses' in models[1]; did you mean 'instances'?");
  EXPECT_EQ(found->models[1].problem.message(),
            file + ":4:5: there is no file or folder '" + (folder / "no.onnx") + "'; correct the path");
  EXPECT_TRUE(found->models[2].problem.ok());
}

TEST(FindYaml, TwoEntriesOfOneNameAreRefusedAlsoAtOnePlace) {
  const TempFolder folder;
  folder.write("net.onnx");
  const std::string file =
      folder.write("modelmill.yaml", "models:\n  - path: net.onnx\n  - {path: net.onnx, pinned: true}\n");
  const auto found = find_models({folder.path()}, kYamlFormats);
  ASSERT_THAT(names(found), ElementsAre("net"));
  EXPECT_THAT(found->models[0].problem.message(),
              AllOf(HasSubstr("two models named 'net'"), HasSubstr(file + ":2:5"), HasSubstr(file + ":3:5")));
  folder.write("modelmill.yaml", "models: [{path: net.onnx}]");
  EXPECT_TRUE(find_models({folder.path(), file}, kYamlFormats)->models.at(0).problem.ok()) << "one file by two paths";
}

TEST(FindYaml, AModelsOwn) {
  const TempFolder folder;
  folder.write("m/3/model.onnx");
  folder.write("m/config.pbtxt", "max_batch_size: 4 parameters { key: 'p' value { string_value: 'v' } }");
  folder.write("m/modelmill.yaml", "batching: {max_size: 8}");
  folder.write("bare/modelmill.yaml", "name: bare");
  folder.write("bare/net.onnx");
  folder.write("nothing/modelmill.yaml", "backend: identity");
  for (const bool direct : {true, false}) {
    const auto found =
        direct ? find_models({folder / "m", folder / "bare/modelmill.yaml", folder / "nothing"}, kYamlFormats)
               : find_models({folder.path()}, kYamlFormats);
    ASSERT_THAT(names(found), ElementsAre("bare", "m", "nothing"));
    const auto m = read_definition(found->models[1]);
    ASSERT_TRUE(m.ok()) << m.status().to_string();
    EXPECT_EQ(m->max_batch_size, 8) << "ours is above Triton's";
    EXPECT_EQ(m->parameters.at("p"), "v");
    EXPECT_EQ(found->models[1].versions[0].version, 3);
    EXPECT_EQ(*find_model_file(*read_definition(found->models[0]), found->models[0].versions.at(0), kYamlFormats[0]),
              folder / "bare/net.onnx");
    EXPECT_EQ(read_definition(found->models[2])->backend, "identity");
    EXPECT_EQ(found->models[2].versions.at(0).version, 1);
  }
}

TEST(FindYaml, AnEntryIsAboveTheModelsOwn) {
  const TempFolder folder;
  folder.write("m/1/model.onnx");
  folder.write("m/modelmill.yaml", "batching: {max_size: 8}\npinned: true");
  folder.write("all.yaml", "models: [{path: m, batching: {max_size: 2}}]");
  const auto found = find_models({folder / "all.yaml"}, kYamlFormats);
  const auto m = read_definition(found->models.at(0));
  EXPECT_EQ(m->max_batch_size, 2);
  EXPECT_TRUE(m->pinned);
}

TEST(FindYaml, NamesInARepositoryAreThoseOfFolders) {
  const TempFolder folder;
  folder.write("m/1/model.onnx");
  folder.write("m/modelmill.yaml", "name: other");
  const auto found = find_models({folder.path()}, kYamlFormats);
  EXPECT_THAT(read_definition(found->models.at(0)).status().message(),
              AllOf(HasSubstr("m/modelmill.yaml:1:7: unexpected directory name 'm' for model 'other'")));
  EXPECT_EQ(read_definition(find_models({folder / "m"}, kYamlFormats)->models.at(0))->name, "other");
}

TEST(FindYaml, AFileThatCannotBeReadAsAWholeFailsItsPath) {
  const TempFolder folder;
  folder.write("modelmill.yaml", "models: [");
  EXPECT_THAT(find_models({folder.path()}, kYamlFormats).status().message(), HasSubstr("modelmill.yaml:1:"));
  folder.write("modelmill.yaml", "schema_version: 9\nmodels: []");
  EXPECT_EQ(find_models({folder.path()}, kYamlFormats).status().code(), Code::kUnimplemented);
  folder.write("modelmill.yaml", "models: []");
  EXPECT_THAT(names(find_models({folder.path()}, kYamlFormats)), IsEmpty());
  folder.write("repo/a/modelmill.yaml", "models: [");
  folder.write("repo/a/1/model.onnx");
  folder.write("repo/b/1/model.onnx");
  const auto found = find_models({folder / "repo"}, kYamlFormats);
  ASSERT_THAT(names(found), ElementsAre("a", "b"));
  EXPECT_THAT(found->models[0].problem.message(), HasSubstr("a/modelmill.yaml:1:"));
  EXPECT_TRUE(found->models[1].problem.ok());
}

TEST(FindYaml, PathsThatLeadInACircleEnd) {
  const TempFolder folder;
  folder.write("a/modelmill.yaml", "path: ../b");
  folder.write("b/modelmill.yaml", "path: ../a");
  const auto found = find_models({folder / "a"}, kYamlFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_THAT(found->models.at(0).problem.message(), HasSubstr("lead on and on"));
  folder.write("list/modelmill.yaml", "models: [{name: x, path: ../list2}]");
  folder.write("list2/modelmill.yaml", "models: [{name: y}]");
  EXPECT_THAT(find_models({folder / "list"}, kYamlFormats)->models.at(0).problem.message(),
              HasSubstr("lists models, and is itself named as one"));
}

}  // namespace
}  // namespace modelmill
