#include "repository/find_config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "model/tf_serving_config.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

const std::vector<ModelFormat> kConfigFormats{{"onnxruntime", "model.onnx", {".onnx"}}, {"identity", "", {}}};

TEST(FindConfigFile, FindsVersionsBelowEachBasePath) {
  const TempFolder folder;
  folder.write("half/00000123/model.onnx");
  folder.write("half/124/model.onnx");
  folder.write("half/assets/x");
  const std::string file =
      folder.write("models.config", "model_config_list { config { name: 'h' base_path: '" + (folder / "half") +
                                        "' model_version_policy { all { } } "
                                        "version_labels { key: 'stable' value: 123 } } }");
  const auto batching = read_tf_batching_parameters("max_batch_size { value: 16 }", "b.txt");
  const auto found = find_models_of_config_file(file, kConfigFormats, &*batching);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_EQ(found->models.size(), 1U);
  const FoundModel& model = found->models[0];
  EXPECT_EQ(model.name, "h");
  ASSERT_EQ(model.versions.size(), 2U);
  EXPECT_EQ(model.versions[0].version, 123);
  EXPECT_EQ(model.versions[0].directory, folder / "half/00000123");
  const auto definition = read_definition(model);
  ASSERT_TRUE(definition.ok()) << definition.status().to_string();
  EXPECT_EQ(definition->name, "h");
  EXPECT_EQ(definition->labels.at("stable"), 123);
  EXPECT_EQ(definition->max_batch_size, 16);
  EXPECT_EQ(*infer_backend(*definition, model.versions[0], kConfigFormats), "onnxruntime");
}

TEST(FindConfigFile, AProblemIsItsModelsOwn) {
  const TempFolder folder;
  folder.write("a/1/saved_model.pb");
  const std::string a = "base_path: '" + (folder / "a") + "'";
  const std::string file = folder.write(
      "models.config", "model_config_list {\nconfig { name: 'gone' base_path: '/nowhere' }\nconfig { name: 'a' " + a +
                           " }\nconfig { name: 'twice' " + a + " }\nconfig { name: 'twice' " + a +
                           " }\nconfig { name: 'pt' model_platform: 'pytorch_libtorch' " + a + " } }");
  const auto found = find_models_of_config_file(file, kConfigFormats);
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  ASSERT_EQ(found->models.size(), 4U);
  EXPECT_TRUE(found->models[0].problem.ok());
  EXPECT_THAT(infer_backend(*read_definition(found->models[0]), found->models[0].versions[0], kConfigFormats)
                  .status()
                  .message(),
              HasSubstr("model 'a': its file 'saved_model.pb' needs backend 'tensorflow', which is not installed"));
  EXPECT_THAT(found->models[1].problem.message(), HasSubstr(file + ":2:1: base_path: folder '/nowhere'"));
  EXPECT_THAT(found->models[2].problem.message(), HasSubstr("model 'pt' needs backend 'pytorch', which is not"));
  EXPECT_THAT(found->models[3].problem.message(), HasSubstr("two models named 'twice'"));
  EXPECT_FALSE(find_models_of_config_file(folder / "no", kConfigFormats).ok());
  folder.write("models.config", "model_config_list {");
  EXPECT_THAT(find_models_of_config_file(file, kConfigFormats).status().message(), HasSubstr(file + ":1:"));
}

}  // namespace
}  // namespace modelmill
