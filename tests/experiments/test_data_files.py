def test_words_are_no_answers_of_a_regression(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    TABLE.assign(storm=np.where(TABLE["storm"] == 1, "yes", "no")).to_csv(tmp_path / "train.csv", index=False)
    given = {"target": None, "groups": None, "remedies": "", "suggest": False, "seeds": 1, "fit": {"epochs": 1}}
    with pytest.raises(DataError, match=r"predicts real numbers; the answers of train.csv.*words such as 'no'"):
        study_from_files(tmp_path / "model.keras", {"train": tmp_path / "train.csv"}, **given)
