#include "repository/model_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "base/testing/temp_folder.h"
#include "repository/fil_backend.h"
#include "repository/find_models.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<ModelFormat> kContentFormats{{"lightgbm", "model.lgb", {".lgb"}},
                                               {"onnxruntime", "model.onnx", {".onnx"}},
                                               {"xgboost", "model.ubj", {".ubj", ".bst"}}};

constexpr std::string_view kXgboost = R"({"learner":{"attributes":{},"feature_names":[]}},"version":[3,2,0]})";
constexpr std::string_view kLightgbm = "tree\nversion=v4\nnum_class=1\n";

struct Bytes {
  std::string_view bytes;
  std::string backend;
};

TEST(ModelContent, FirstBytesTell) {
  const Bytes cases[] = {
      {kXgboost, "xgboost"},
      {"\n{ \"version\" : [1, 7, 4],\n \"learner\": {\n  \"learner_model_param\": {", "xgboost"},
      {{"{L\0\0\0\0\0\0\0\7learner{L", 19}, "xgboost"},
      {std::string_view("binf\0\0\0\0", 8), "xgboost"},
      {kLightgbm, "lightgbm"},
      {"tree\r\nversion=v3\r\n", "lightgbm"},
      {"", ""},
      {"{", ""},
      {"tree", ""},
      {"trees are nice\nversion=v4", ""},
      {R"({"learner": "me"})", ""},
      {R"({"learner": {"name": "me"}})", ""},
      {R"({"version": [1, 2)", ""},
      {R"({"version": [1], "scripts": {}})", ""},
      {R"({"name": "learner", "version": [1]})", ""},
      {R"(["learner"])", ""},
  };
  for (const auto& [bytes, backend] : cases) EXPECT_EQ(backend_of_first_bytes(bytes), backend) << bytes;
}

TEST(ModelContent, OfXmlOnlyGraphsOfOpenVinoAreModels) {
  const TempFolder folder;
  const std::vector<ModelFormat> formats{{"openvino", "model.xml", {".xml", ".onnx"}}};
  const auto backend = [&](const std::string& text) {
    const std::string file = folder.write("model.xml", text);
    EXPECT_EQ(is_model_of(formats[0], file), !backend_of_file(file, formats).empty());
    return backend_of_file(file, formats);
  };
  EXPECT_EQ(backend("<?xml version=\"1.0\"?>\n<net name=\"Model0\" version=\"11\">\n<layers/>"), "openvino");
  EXPECT_EQ(backend("\xEF\xBB\xBF<!DOCTYPE net>\n<!-- made > by hand -->\r\n<net>"), "openvino");
  for (const char* other : {"", "<?xml version=\"1.0\"?>\n<project/>", "<network version=\"1\">", "<!-- <net> -->",
                            "<!-- <net>", "<?xml", "net", "<net"})
    EXPECT_EQ(backend(other), "") << other;
}

TEST(ModelContent, OnlyFilesWhoseNamesTellLittleAreLookedInto) {
  const TempFolder folder;
  EXPECT_EQ(backend_of_content(folder.write("a.json", std::string(kXgboost))), "xgboost");
  EXPECT_EQ(backend_of_content(folder.write("a.model", std::string(kXgboost))), "xgboost");
  EXPECT_EQ(backend_of_content(folder.write("a.bst", std::string(kLightgbm))), "lightgbm");
  EXPECT_EQ(backend_of_content(folder.write("a.py", "import modelmill\n\n@modelmill.model\ndef f(): ...\n")), "python");
  EXPECT_EQ(backend_of_content(folder.write("b.py", "from modelmill import model\n@model\ndef f(): ...\n")), "python");
  EXPECT_EQ(
      backend_of_content(folder.write("q.py", "import modelmill\n\n@modelmill.comparison(limit=1)\ndef f(): ...\n")),
      "python");
  EXPECT_EQ(backend_of_content(folder.write("t.py", "import json\n\nclass TritonPythonModel:\n  pass\n")), "python");
  EXPECT_EQ(backend_of_content(folder.write("u.py", "class TritonPythonModelError:\n  pass\n")), "");
  EXPECT_EQ(backend_of_content(folder.write("c.py", "import modelmill\n# see @modelmill.model\n@model\n")), "");
  EXPECT_EQ(backend_of_content(folder.write("a.py", std::string(kLightgbm))), "");
  EXPECT_EQ(backend_of_content(folder / "none.json"), "");
  EXPECT_EQ(backend_of_content(folder.make("folder.json")), "");
  ASSERT_EQ(mkfifo((folder / "pipe.json").c_str(), 0600), 0);
  EXPECT_EQ(backend_of_content(folder / "pipe.json"), "");  // and it does not wait
}

TEST(ModelContent, AFoldersOtherFilesAreNoModels) {
  const TempFolder folder;
  folder.write("models/price.json", std::string(kXgboost));
  folder.write("models/churn.txt", std::string(kLightgbm));
  folder.write("models/net.onnx");
  folder.write("models/package.json", R"({"version": "1.0", "learner": {}})");
  folder.write("models/labels.txt", "tree\ncat\n");
  folder.write("models/spm.model", "\x0a\x0e");
  const auto found = find_models({folder / "models"}, kContentFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_EQ(found->models.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    const FoundModel& model = found->models[i];
    const auto backend = infer_backend(*read_definition(model), model.versions.at(0), kContentFormats);
    EXPECT_EQ(model.name + " " + *backend, (std::array{"churn lightgbm", "net onnxruntime", "price xgboost"})[i]);
  }
}

TEST(ModelContent, AFileByItselfThatIsNoneSaysWhatCanBeServed) {
  const TempFolder folder;
  EXPECT_TRUE(find_models({folder.write("price.json", std::string(kXgboost))}, kContentFormats).ok());
  EXPECT_THAT(find_models({folder.write("other.json", "{}")}, kContentFormats).status().message(),
              HasSubstr("known endings"));
  const auto uninstalled = find_models({folder / "price.json"}, std::span(kContentFormats).subspan(1, 1));
  EXPECT_THAT(uninstalled.status().message(), HasSubstr("needs backend 'xgboost', which is not installed"));
}

TEST(ModelContent, VersionFolders) {
  const TempFolder folder;
  folder.write("m/1/model.json", std::string(kXgboost));
  folder.write("m/1/features.json", "[]");
  const FoundVersion version{1, folder / "m/1", {}};
  ModelDefinition definition;
  definition.name = "m";
  EXPECT_EQ(*infer_backend(definition, version, kContentFormats), "xgboost");
  EXPECT_EQ(*find_model_file(definition, version, kContentFormats[2]), folder / "m/1/model.json");
  folder.write("m/1/other.json", std::string(kXgboost));
  EXPECT_THAT(find_model_file(definition, version, kContentFormats[2]).status().message(),
              HasSubstr("several model files"));
  definition.default_model_filename = "model.json";
  EXPECT_EQ(*infer_backend(definition, version, kContentFormats), "xgboost");
}

struct Fil {
  const char* model_type;
  const char* backend;
  const char* file;
};

TEST(FilBackend, TheModelTypeTellsWhoseTreesTheyAre) {
  ModelDefinition definition;
  definition.name = "m";
  definition.backend = "fil";
  for (const auto& [type, backend, file] : {Fil{"xgboost", "xgboost", "xgboost.model"},
                                            {"xgboost_json", "xgboost", "xgboost.json"},
                                            {"xgboost_ubj", "xgboost", "xgboost.ubj"},
                                            {"lightgbm", "lightgbm", "model.txt"}}) {
    definition.parameters["model_type"] = type;
    const auto plugin = plugin_of(definition, {}, kContentFormats);
    ASSERT_TRUE(plugin.ok()) << type;
    EXPECT_EQ(plugin->backend, backend);
    EXPECT_EQ(plugin->default_file, file);
  }
  definition.parameters["model_type"] = "treelite_checkpoint";
  EXPECT_THAT(plugin_of(definition, {}, kContentFormats).status().message(),
              testing::AllOf(HasSubstr("model 'm'"), HasSubstr("treelite_checkpoint"), HasSubstr("ONNX")));
}

TEST(FilBackend, WithoutAModelTypeTheFileTells) {
  const TempFolder folder;
  folder.write("1/model.txt", std::string(kLightgbm));
  ModelDefinition definition;
  definition.name = "m";
  definition.backend = "fil";
  const FoundVersion version{1, folder / "1", {}};
  EXPECT_EQ(plugin_of(definition, version, kContentFormats)->backend, "lightgbm");
  folder.write("1/model.onnx");
  EXPECT_THAT(plugin_of(definition, version, kContentFormats).status().message(), HasSubstr("leave the backend out"));
  definition.backend = "onnxruntime";
  EXPECT_EQ(plugin_of(definition, version, kContentFormats)->backend, "onnxruntime");
}

TEST(TreesOfOthers, MlflowAndMlserver) {
  const TempFolder folder;
  folder.write("flow/MLmodel", "flavors:\n  xgboost:\n    data: model.ubj\n    model_class: xgboost.XGBClassifier\n");
  folder.write("flow/model.ubj");
  folder.write("pickle/MLmodel", "flavors:\n  lightgbm:\n    data: model.pkl\n");
  folder.write(
      "settings/model-settings.json",
      R"({"name": "iris", "implementation": "mlserver_xgboost.XGBoostModel", "parameters": {"uri": "./model.json"}})");
  folder.write("settings/model.json", std::string(kXgboost));
  folder.write(
      "bst/model-settings.json",
      R"({"name": "b", "implementation": "mlserver_lightgbm.LightGBMModel", "parameters": {"uri": "model.bst"}})");
  folder.write("bst/model.bst", std::string(kLightgbm));
  const auto found = find_models({folder.path()}, kContentFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  std::vector<std::string> told;
  for (const FoundModel& model : found->models) {
    if (!model.problem.ok()) {
      EXPECT_THAT(model.problem.message(), HasSubstr("(MLflow flavour lightgbm) needs backend 'python'"));
      told.push_back(model.name);
      continue;
    }
    const auto definition = read_definition(model);
    ASSERT_TRUE(definition.ok()) << definition.status().to_string();
    const auto output = definition->parameters.find("output");
    told.push_back(model.name + ": " + definition->backend +
                   (output != definition->parameters.end() ? " " + output->second : ""));
  }
  EXPECT_THAT(told, ElementsAre("b: lightgbm", "flow: xgboost predict", "iris: xgboost predict", "pickle"));
}

}  // namespace
}  // namespace modelmill
