// Generated from the gateway's OpenAPI document by `scripts/npm run types`; not edited by hand.
export interface paths {
    "/v1/algorithmImages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List algorithm images
         * @description Least role: VIEWER.
         */
        get: operations["listAlgorithmImages"];
        put?: never;
        /**
         * Create algorithm image
         * @description Least role: ADMIN.
         */
        post: operations["createAlgorithmImage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/algorithmImages/{algorithmImage}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get algorithm image
         * @description Least role: VIEWER.
         */
        get: operations["getAlgorithmImage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/algorithmImages/{algorithmImage}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List algorithm image versions
         * @description Newest first, by number.
         *
         *     Least role: VIEWER.
         */
        get: operations["listAlgorithmImageVersions"];
        put?: never;
        /**
         * Create algorithm image version
         * @description Least role: ADMIN.
         */
        post: operations["createAlgorithmImageVersion"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/algorithmImages/{algorithmImage}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get algorithm image version
         * @description Least role: VIEWER.
         */
        get: operations["getAlgorithmImageVersion"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auditEntries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List audit entries
         * @description Newest first.
         *
         *     Least role: ADMIN.
         */
        get: operations["listAuditEntries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/bankRuns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List bank runs
         * @description What became of the tests after trainings and releases, newest first (P8).
         *
         *     Least role: VIEWER.
         */
        get: operations["listBankRuns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/computeResources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List compute resources
         * @description Least role: VIEWER.
         */
        get: operations["listComputeResources"];
        put?: never;
        /**
         * Create compute resource
         * @description Least role: ADMIN.
         */
        post: operations["createComputeResource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/computeResources/{computeResource}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get compute resource
         * @description Least role: VIEWER.
         */
        get: operations["getComputeResource"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List datasets
         * @description Least role: VIEWER.
         */
        get: operations["listDatasets"];
        put?: never;
        /**
         * Create dataset
         * @description Least role: ENGINEER.
         */
        post: operations["createDataset"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get dataset
         * @description Least role: VIEWER.
         */
        get: operations["getDataset"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/deletedPaths": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List deleted data paths
         * @description The bin. `datasets/-` lists that of all datasets.
         *
         *     Least role: VIEWER.
         */
        get: operations["listDeletedDataPaths"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/deletedPaths/{deletedPath}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Purge data path
         * @description Removes a path from the bin for good, before its time.
         *
         *     Least role: ADMIN.
         */
        delete: operations["purgeDataPath"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/deletedPaths/{deletedPath}:restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Restore data path
         * @description Takes a path out of the bin; ALREADY_EXISTS while another one has its name.
         *
         *     Least role: ENGINEER.
         */
        post: operations["restoreDataPath"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List data paths
         * @description `datasets/-` lists the paths of all datasets.
         *
         *     Least role: VIEWER.
         */
        get: operations["listDataPaths"];
        put?: never;
        /**
         * Create data path
         * @description Least role: ENGINEER.
         */
        post: operations["createDataPath"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get data path
         * @description Least role: VIEWER.
         */
        get: operations["getDataPath"];
        put?: never;
        post?: never;
        /**
         * Delete data path
         * @description Moves a path that no snapshot needs into the bin.
         *
         *     Least role: ENGINEER.
         */
        delete: operations["deleteDataPath"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}/importReports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List import reports
         * @description The newest first.
         *
         *     Least role: VIEWER.
         */
        get: operations["listImportReports"];
        put?: never;
        /**
         * Save import report
         * @description Keeps what an importer tells of its import. A report of many lines takes several calls, which may be repeated; the
         *     first one keeps what the report says besides.
         *
         *     Least role: ENGINEER.
         */
        post: operations["saveImportReport"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}/importReports/{importReport}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get import report
         * @description Least role: VIEWER.
         */
        get: operations["getImportReport"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}/importReports/{importReport}/lines": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List import report lines
         * @description In the order in which the importer sent them.
         *
         *     Least role: VIEWER.
         */
        get: operations["listImportReportLines"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}/samples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List samples
         * @description By file name.
         *
         *     Least role: VIEWER.
         */
        get: operations["listSamples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}/samples/{sample}/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Redirect to sample
         * @description A link to one sample's bytes, good for ten minutes.
         *
         *     Least role: VIEWER.
         */
        get: operations["redirectToSample"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}:addSamples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Add samples
         * @description Checks each candidate's bytes (hash, type, size, decoding) and lists those that are sound. At most 500 a call.
         *
         *     Least role: ENGINEER.
         */
        post: operations["addSamples"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}:linkSample": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Link sample
         * @description A link to one sample's bytes, good for ten minutes.
         *
         *     Least role: VIEWER.
         */
        get: operations["linkSample"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}:planSampleUploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Plan sample uploads
         * @description Which bytes are not in object storage yet, and where to PUT them.
         *
         *     Least role: ENGINEER.
         */
        post: operations["planSampleUploads"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}:relabelSamples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Relabel samples
         * @description Moves samples to other codes: a new revision of the path, in which their files lie under the new codes. Snapshots
         *     keep what they pinned (W12). At most 500 a call.
         *
         *     Least role: ENGINEER.
         */
        post: operations["relabelSamples"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}:setOwner": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set data path owner
         * @description Hands the path over to another user, or shares it with every engineer.
         *
         *     Least role: ENGINEER.
         */
        post: operations["setDataPathOwner"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets/{dataset}/paths/{path}:snapshot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Snapshot data path
         * @description Pins the path's present listing; the same listing gives the same snapshot.
         *
         *     Least role: ENGINEER.
         */
        post: operations["snapshotDataPath"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/datasets:countParts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Count parts
         * @description Counts the parts of each code over several paths together (D9): a code of a single part cannot be trained and
         *     judged.
         *
         *     Least role: VIEWER.
         */
        post: operations["countParts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/drafts/{draft}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get draft
         * @description A draft that is not kept is empty, with an empty etag.
         *
         *     Least role: ENGINEER.
         */
        get: operations["getDraft"];
        put?: never;
        post?: never;
        /**
         * Delete draft
         * @description Forgets the answers; nothing happens where none are kept.
         *
         *     Least role: ENGINEER.
         */
        delete: operations["deleteDraft"];
        options?: never;
        head?: never;
        /**
         * Update draft
         * @description Keeps the answers. Of 50 drafts, one more takes the place of the one that was updated least recently.
         *
         *     Least role: ENGINEER.
         */
        patch: operations["updateDraft"];
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List models
         * @description Least role: VIEWER.
         */
        get: operations["listModels"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get model
         * @description Least role: VIEWER.
         */
        get: operations["getModel"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List model versions
         * @description Newest first, by number.
         *
         *     Least role: VIEWER.
         */
        get: operations["listModelVersions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get model version
         * @description An alias works in the version's place: `models/m/versions/production`; so does `latest`.
         *
         *     Least role: VIEWER.
         */
        get: operations["getModelVersion"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Archive model version
         * @description Least role: RELEASER.
         */
        post: operations["archiveModelVersion"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:draftRetraining": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Draft retraining
         * @description The wizard filled in with a version's answers, to be changed and submitted (W13). Stores nothing.
         *
         *     Least role: ENGINEER.
         */
        get: operations["draftRetraining"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Export model version
         * @description The one task that packages a version in a format (X): made at the first call, started again if it FAILED or was
         *     TERMINATED, and else as it is. Once it is COMPLETED, ModelService.LinkPackage has the file.
         *
         *     Least role: RELEASER.
         */
        post: operations["exportModelVersion"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:linkPackage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Link package
         * @description A link to a package, good for ten minutes. NOT_FOUND with reason NOT_EXPORTED until TaskService.ExportModelVersion
         *     made it.
         *
         *     Least role: RELEASER.
         */
        get: operations["linkPackage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:linkWeights": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Link weights
         * @description A link to the version's weights, to compare a package with, good for ten minutes.
         *
         *     Least role: RELEASER.
         */
        get: operations["linkWeights"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:measureTrainingOverlap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Measure training overlap
         * @description Which of some data's samples and groups made the version's weights (P7): those of its training snapshots, of its
         *     ancestors' as far as it was started from their weights, and those that are under the training paths of their image
         *     versions.
         *
         *     Least role: VIEWER.
         */
        get: operations["measureTrainingOverlap"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}/versions/{version}:setAlias": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set alias
         * @description Puts an alias on a version, taking it from the one that had it. Audited (R4).
         *
         *     Least role: RELEASER.
         */
        post: operations["setAlias"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/productionEnvironments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List production environments
         * @description Least role: VIEWER.
         */
        get: operations["listProductionEnvironments"];
        put?: never;
        /**
         * Create production environment
         * @description Least role: ADMIN.
         */
        post: operations["createProductionEnvironment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/productionEnvironments/{productionEnvironment}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get production environment
         * @description Least role: VIEWER.
         */
        get: operations["getProductionEnvironment"];
        put?: never;
        post?: never;
        /**
         * Delete production environment
         * @description Refused while an image or a model is bound to it.
         *
         *     Least role: ADMIN.
         */
        delete: operations["deleteProductionEnvironment"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/questionBanks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List question banks
         * @description By id.
         *
         *     Least role: VIEWER.
         */
        get: operations["listQuestionBanks"];
        put?: never;
        /**
         * Create question bank
         * @description Makes a bank with its first revision. Paths that versions were trained with are taken: `trained_versions` tells.
         *     So are those of trainings that wait or run: ListTasks of the scheduler tells with `training_with_bank`.
         *
         *     Least role: ENGINEER.
         */
        post: operations["createQuestionBank"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/questionBanks/{questionBank}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get question bank
         * @description Least role: VIEWER.
         */
        get: operations["getQuestionBank"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Update question bank
         * @description Changes what is said of the bank; its data changes by a new revision only.
         *
         *     Least role: ENGINEER.
         */
        patch: operations["updateQuestionBank"];
        trace?: never;
    };
    "/v1/questionBanks/{questionBank}/revisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List question bank revisions
         * @description Newest first.
         *
         *     Least role: VIEWER.
         */
        get: operations["listQuestionBankRevisions"];
        put?: never;
        /**
         * Create question bank revision
         * @description Freezes the present listings of the data paths as the bank's next revision. If they are those of the current one,
         *     that stays the current one.
         *
         *     Least role: ENGINEER.
         */
        post: operations["createQuestionBankRevision"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/questionBanks/{questionBank}/revisions/{revision}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get question bank revision
         * @description Least role: VIEWER.
         */
        get: operations["getQuestionBankRevision"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/questionBanks/{questionBank}:archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Archive question bank
         * @description Hides the bank and gives its data paths back to training, or takes it out of the archive again.
         *
         *     Least role: RELEASER.
         */
        post: operations["archiveQuestionBank"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/questionBanks/{questionBank}:leaderboard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get leaderboard
         * @description Least role: VIEWER.
         */
        get: operations["getLeaderboard"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get queue
         * @description Least role: VIEWER.
         */
        get: operations["getQueue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/relabelMarks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List relabel marks
         * @description Newest first.
         *
         *     Least role: VIEWER.
         */
        get: operations["listRelabelMarks"];
        put?: never;
        /**
         * Create relabel mark
         * @description Marks a sample, or changes its OPEN mark.
         *
         *     Least role: ENGINEER.
         */
        post: operations["createRelabelMark"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/relabelMarks/{relabelMark}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get relabel mark
         * @description Least role: VIEWER.
         */
        get: operations["getRelabelMark"];
        put?: never;
        post?: never;
        /**
         * Delete relabel mark
         * @description Takes an OPEN mark back.
         *
         *     Least role: ENGINEER.
         */
        delete: operations["deleteRelabelMark"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/relabelMarks:apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Apply relabel marks
         * @description Moves the marked samples of a data path to their right codes, as a new revision of the path; what was pinned before
         *     stays as it was (W12). The registry does it with the caller's own token. May be repeated: what is done stays done.
         *
         *     Least role: ENGINEER.
         */
        post: operations["applyRelabelMarks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/relabelMarks:export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export relabel marks
         * @description The marks as a relabel list: CSV with a header, or JSON with one object a line.
         *
         *     Least role: VIEWER.
         */
        get: operations["exportRelabelMarks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List reports
         * @description Newest first.
         *
         *     Least role: VIEWER.
         */
        get: operations["listReports"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get report
         * @description Least role: VIEWER.
         */
        get: operations["getReport"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}/sampleResults": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sample results
         * @description Unless ordered otherwise: least confident first for CORRECT, most confident first for MISJUDGED, by file for
         *     NONCONFORMING (P4).
         *
         *     Least role: VIEWER.
         */
        get: operations["listSampleResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}/sampleResults/{sampleResult}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get sample result
         * @description Least role: VIEWER.
         */
        get: operations["getSampleResult"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}/sampleResults/{sampleResult}/picture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Redirect to sample picture
         * @description A link to a picture of the sample, good for a few minutes. FAILED_PRECONDITION: PICTURE_UNREADABLE where the
         *     sample's bytes are no usable image, NO_MASK where an overlay is asked for and neither truth nor prediction has a
         *     mask. The original is always there.
         *
         *     Least role: VIEWER.
         */
        get: operations["redirectToSamplePicture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}/sampleResults/{sampleResult}:linkPicture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Link sample picture
         * @description A link to a picture of the sample, good for a few minutes. FAILED_PRECONDITION: PICTURE_UNREADABLE where the
         *     sample's bytes are no usable image, NO_MASK where an overlay is asked for and neither truth nor prediction has a
         *     mask. The original is always there.
         *
         *     Least role: VIEWER.
         */
        get: operations["linkSamplePicture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}/sampleResults:download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download sample results
         * @description The originals of all samples that the fields keep, as one ZIP (stored, not compressed): `{true
         *     code}/{predicted}_{confidence}_{file}`, nonconforming ones `{true code}/NONCONFORMING_{file}`, and `index.csv`
         *     last. A sample whose object is missing is a line of the index.
         *
         *     Least role: VIEWER.
         */
        get: operations["downloadSampleResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}/suspectedLabels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List suspected labels
         * @description Samples whose label may be wrong, the most suspect first.
         *
         *     Least role: VIEWER.
         */
        get: operations["listSuspectedLabels"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}:compare": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Compare reports
         * @description FAILED_PRECONDITION, NOT_COMPARABLE where the reports have no sample, or their models no code, in common.
         *
         *     Least role: VIEWER.
         */
        get: operations["compareReports"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}:export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export report
         * @description The report as a file: the whole report with its threshold curves as JSON, one line a sample as CSV, or one HTML
         *     page with pictures that needs no other file.
         *
         *     Least role: VIEWER.
         */
        get: operations["exportReport"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}:listComparedSamples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List compared samples
         * @description Regressed ones first, then fixed, wrong and right ones; among each, where the candidate is most certain first.
         *
         *     Least role: VIEWER.
         */
        get: operations["listComparedSamples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/reports/{report}:thresholdCurves": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get threshold curves
         * @description Precision, recall and the share that would go to a human, against the confidence threshold (E2).
         *
         *     Least role: VIEWER.
         */
        get: operations["getThresholdCurves"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/servers/{server}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get server
         * @description Over HTTP the path says which server is asked.
         *
         *     Least role: VIEWER.
         */
        get: operations["getServer"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/servers/{server}:checkStorage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check storage
         * @description Compares the server's rows with the objects that they name and with the streams that tell of them. The last
         *     message has the counts of all; it takes about two seconds a thousand objects, longer where all bytes are read.
         *
         *     Least role: ADMIN.
         */
        get: operations["checkStorage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in
         * @description Opens a session of the console: a token good for twelve hours. Over HTTP its secret comes as a cookie that
         *     scripts cannot read. A user name that does not exist and a wrong password are one answer, UNAUTHENTICATED;
         *     after five of them a name is refused for a while, longer each time: RESOURCE_EXHAUSTED.
         *
         *     Least role: ANYONE.
         */
        post: operations["logIn"];
        /**
         * Log out
         * @description Ends the caller's session. FAILED_PRECONDITION with any other token: those are revoked by an administrator.
         *
         *     Least role: ANY_AUTHENTICATED.
         */
        delete: operations["logOut"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/session:changePassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change password
         * @description The caller's own; ends all other sessions of the caller.
         *
         *     Least role: ANY_AUTHENTICATED.
         */
        post: operations["changePassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/signingKeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get signing keys
         * @description The public keys by which the packages of this installation are known (X6).
         *
         *     Least role: VIEWER.
         */
        get: operations["getSigningKeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/storageQuotas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List storage quotas
         * @description `datasets/-` and `users/-` if they have a limit, then every dataset and every owner of data paths.
         *
         *     Least role: VIEWER.
         */
        get: operations["listStorageQuotas"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/storageQuotas:set": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set storage quota
         * @description Holds from the next batch of an import on. A limit below what is stored removes nothing.
         *
         *     Least role: ADMIN.
         */
        post: operations["setStorageQuota"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List tasks
         * @description Newest first, by keyset (T3).
         *
         *     Least role: VIEWER.
         */
        get: operations["listTasks"];
        put?: never;
        /**
         * Create task
         * @description Validates all steps and submits. Idempotent by request_id (W12).
         *
         *     Least role: ENGINEER.
         */
        post: operations["createTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get task
         * @description Least role: VIEWER.
         */
        get: operations["getTask"];
        put?: never;
        post?: never;
        /**
         * Delete task
         * @description Own tasks; anybody's for an administrator (T7).
         *
         *     Least role: ENGINEER.
         */
        delete: operations["deleteTask"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/contactSheet": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Redirect to contact sheet
         * @description A link to a JPEG of what augmentation does to some of the training's samples, good for a few minutes (M1, W10).
         *
         *     Least role: VIEWER.
         */
        get: operations["redirectToContactSheet"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download log
         * @description A network's log from a line on; follows it live if asked (M3).
         *
         *     Least role: VIEWER.
         */
        get: operations["downloadLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/log:watch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read log
         * @description A network's log from a line on; follows it live if asked (M3).
         *
         *     Least role: VIEWER.
         */
        get: operations["readLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/loss:watch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Watch loss
         * @description Every point from `cursor` on, then each as it is made; no point missing, none twice (M5).
         *
         *     Least role: VIEWER.
         */
        get: operations["watchLoss"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/lossCurve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get loss curve
         * @description A network's loss curve, downsampled to what a plot can show, extremes kept (M4).
         *
         *     Least role: VIEWER.
         */
        get: operations["getLossCurve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/nonconformingSamples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List nonconforming samples
         * @description Least role: VIEWER.
         */
        get: operations["listNonconformingSamples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/nonconformingSamples:download": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download nonconforming samples
         * @description All of them as CSV (UTF-8 with a byte order mark, for spreadsheets), a header first (M1a).
         *
         *     Least role: VIEWER.
         */
        get: operations["downloadNonconformingSamples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}/transitions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List task transitions
         * @description Least role: VIEWER.
         */
        get: operations["listTaskTransitions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}:linkContactSheet": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Link contact sheet
         * @description A link to a JPEG of what augmentation does to some of the training's samples, good for a few minutes (M1, W10).
         *
         *     Least role: VIEWER.
         */
        get: operations["linkContactSheet"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}:release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Release task
         * @description COMPLETED to RELEASED, once (R1). `model_version` is in the answer unless the registry is away; then it follows.
         *
         *     Least role: RELEASER.
         */
        post: operations["releaseTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}:start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start task
         * @description TERMINATED or FAILED to WAITING, from 0, as a new attempt.
         *
         *     Least role: ENGINEER.
         */
        post: operations["startTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}:terminate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Terminate task
         * @description The task shows `terminating` at once and is TERMINATED when its process is gone (T2).
         *
         *     Least role: ENGINEER.
         */
        post: operations["terminateTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks/{task}:watch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Watch task
         * @description The task now and after every change, from `cursor` on. Ends after a final state has been sent unless `follow`.
         *
         *     Least role: VIEWER.
         */
        get: operations["watchTask"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tasks:validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Validate task
         * @description Validates one step or all, and submits nothing. Warnings come back here; errors of all fields come together.
         *
         *     Least role: ENGINEER.
         */
        post: operations["validateTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List users
         * @description Least role: ADMIN.
         */
        get: operations["listUsers"];
        put?: never;
        /**
         * Create user
         * @description Least role: ADMIN.
         */
        post: operations["createUser"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Update user
         * @description Role, display name and disabled; nobody can take administration from themselves. Disabling ends all sessions.
         *
         *     Least role: ADMIN.
         */
        patch: operations["updateUser"];
        trace?: never;
    };
    "/v1/users/{user}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List tokens
         * @description Least role: ADMIN.
         */
        get: operations["listTokens"];
        put?: never;
        /**
         * Create token
         * @description Least role: ADMIN.
         */
        post: operations["createToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/tokens/{token}:revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Revoke token
         * @description Least role: ADMIN.
         */
        post: operations["revokeToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}:resetPassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reset password
         * @description Gives a user a one-time password, with which only an own one can be chosen; ends the user's sessions and
         *     any lock-out.
         *
         *     Least role: ADMIN.
         */
        post: operations["resetPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who am i
         * @description Whom the caller's own token speaks for.
         *
         *     Least role: ANY_AUTHENTICATED.
         */
        get: operations["whoAmI"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List workers
         * @description By name.
         *
         *     Least role: VIEWER.
         */
        get: operations["listWorkers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/workers/{worker}:drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Drain worker
         * @description The worker gets no job any more, and gives back what it holds, from the last checkpoint; its process stays. It is
         *     drained when it holds no lease. That is stored by the worker's name: it holds after restarts of worker and
         *     scheduler, until UndrainWorker. Repetitions change nothing.
         *
         *     Least role: ADMIN.
         */
        post: operations["drainWorker"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/workers/{worker}:undrain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undrain worker
         * @description The worker gets jobs again.
         *
         *     Least role: ADMIN.
         */
        post: operations["undrainWorker"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AddSamplesRequest: {
            candidates: components["schemas"]["SampleCandidate"][];
            /**
             * Format: int32
             * @description What the importer scaled pictures of 16 bits by, as `DataPath.bits`. Where it is another number than the path's,
             *     such a picture is refused (OTHER_BITS).
             */
            bits: number;
        };
        AddSamplesResponse: {
            /** @description In the order of the candidates. */
            outcomes: components["schemas"]["SampleOutcome"][];
            dataPath?: components["schemas"]["DataPath"];
        };
        /** @description An algorithm image: a named algorithm whose versions say how models of it are trained. Not a picture. Rule W2. */
        AlgorithmImage: {
            /** @description `algorithmImages/{image}`. */
            name: string;
            displayName: string;
            description: string;
            kind: components["schemas"]["ImageKind"];
            taskType: components["schemas"]["TaskType"];
            /** @description `productionEnvironments/{environment}`; set exactly if kind is BUSINESS. */
            productionEnvironment: string;
            /** @description Name of the newest version, by number. */
            latestVersion: string;
            /** Format: date-time */
            createTime?: string;
        };
        /** @description One immutable version of an algorithm image. */
        AlgorithmImageVersion: {
            /** @description `algorithmImages/{image}/versions/v{major}.{minor}`. */
            name: string;
            /** Format: int64 */
            major: number;
            /** Format: int64 */
            minor: number;
            description: string;
            /** @description The networks that W3's `classification.name` may take. */
            classificationNetworks: string[];
            input?: components["schemas"]["InputSpecification"];
            /** @description Default of W3, a JSON object. For a business image: the parameters themselves. */
            defaultModelParams?: {
                [key: string]: unknown;
            };
            /** @description Default of W8, a JSON object. */
            defaultTrainingParams?: {
                [key: string]: unknown;
            };
            /** @description `datasets/{dataset}/paths/{path}` that the algorithm itself was trained on. Rule W4. */
            trainingPaths: string[];
            /** Format: date-time */
            createTime?: string;
        };
        /** @description Of compute resources: what a worker has, or what a task takes of it. */
        Amounts: {
            /** Format: int64 */
            gpus: number;
            /** Format: int64 */
            cpus: number;
            /** Format: uint64 */
            memoryBytes: string;
        };
        ApplyRelabelMarksRequest: {
            dataPath: string;
            /**
             * Format: int64
             * @description The path's revision as the caller saw it; ABORTED if it is another by now. 0: whatever it is.
             */
            revision: string;
        };
        ApplyRelabelMarksResponse: {
            /** @description What became of each OPEN mark of the path: APPLIED, or still OPEN with a message. */
            marks: components["schemas"]["RelabelMark"][];
            /**
             * Format: int64
             * @description Of the path, now.
             */
            revision: string;
        };
        ArchiveModelVersionRequest: {
            /** @description Takes it out of the archive again. */
            restore: boolean;
            /** @description Of the version as it was seen; ABORTED if somebody changed it since. Empty: whatever it is. */
            etag: string;
            /** @description Archives it although it carries aliases, which go on leading to it. Without, that is refused (HAS_ALIASES). */
            keepAliases: boolean;
        };
        ArchiveQuestionBankRequest: {
            /** @description Takes it out of the archive again. */
            restore: boolean;
            /** @description As of UpdateQuestionBankRequest. */
            etag: string;
        };
        /** @description One line of who did what, when, from where, with what result. Rule A3. */
        AuditEntry: {
            /** Format: int64 */
            id: string;
            /**
             * Format: date-time
             * @description When the registry stored it, by the clock of the database. Output only.
             */
            time?: string;
            principal: string;
            /** @description Full name of the RPC; `several` in an entry that counts calls of more than one. */
            action: string;
            /**
             * @description Its name; of SetAlias and ArchiveModelVersion also `alias=production`, `restore=True`, after a blank.
             *     Of a call with a token that counts no more `token=users/u/tokens/t reason=TOKEN_REVOKED`.
             *     `count=12`: so many failed calls of the principal, or from the address in `peer`, that have no entry each.
             */
            resource: string;
            /** @description Name of the status code: OK, PERMISSION_DENIED, …. */
            result: string;
            /**
             * @description Address of the caller as the server saw it; of a call through the gateway ` for ` and the address that the
             *     gateway saw, after it.
             */
            peer: string;
            /**
             * @description The process that told the registry, `services/{service}`, by its token; empty where the registry saw the call
             *     itself. Output only.
             */
            reporter: string;
        };
        /**
         * @description * `AUGMENTATION_UNSPECIFIED`
         *     * `AUGMENTATION_COLOUR`: In HSV space.
         *     * `AUGMENTATION_SCALE`
         *     * `AUGMENTATION_FLIP`: Left-right.
         *     * `AUGMENTATION_RANDOM`: Scale and flip with random parameters.
         * @enum {string}
         */
        Augmentation: "AUGMENTATION_UNSPECIFIED" | "AUGMENTATION_COLOUR" | "AUGMENTATION_SCALE" | "AUGMENTATION_FLIP" | "AUGMENTATION_RANDOM";
        Backlog: {
            /**
             * Format: int64
             * @description Events that no stream has yet, and how long the oldest has waited.
             */
            outboxCount: string;
            /** Format: date-time */
            oldestOutboxTime?: string;
            /**
             * Format: int64
             * @description Events that could never be handled.
             */
            deadLetterCount: string;
        };
        Backup: {
            /** @description File or folder. */
            place: string;
            /**
             * Format: date-time
             * @description Of the rows in it.
             */
            createTime?: string;
            /** Format: int64 */
            objectCount: string;
            /** Format: int64 */
            sizeBytes: string;
            encrypted: boolean;
            /**
             * Format: date-time
             * @description When `loupe backup --verify` last found it whole; absent: never.
             */
            verifyTime?: string;
            /**
             * Format: int64
             * @description What was missing or altered in it at its making, or at its newest verification.
             */
            faultCount: string;
        };
        /**
         * @description What became of the test of a completed training, or of a released version, with a question bank that wants one (P8):
         *     its task, or why there is none. There is one for each bank and training, and one for each bank and version, however
         *     often the release is told. A version whose training was tested with the same revision has none of its own.
         */
        BankRun: {
            /** @description `questionBanks/{bank}/revisions/{number}`. */
            questionBank: string;
            /** @description `models/{model}/versions/{version}`. After a training: the version that it was released as since; empty: none. */
            modelVersion: string;
            /**
             * Format: date-time
             * @description When it was submitted or refused.
             */
            time?: string;
            /** @description `tasks/{task}`; empty: refused. */
            task: string;
            /** @description Of the task now; unspecified: refused, or the task was deleted since. */
            taskState: components["schemas"]["TaskState"];
            /** @description Why there is no task; empty: it was submitted. */
            refusals: components["schemas"]["BankRun_Refusal"][];
            /** @description `tasks/{task}` of the training that this is the test of; empty: after a release. */
            trainingTask: string;
            /** @description The model's id; empty if the training was deleted since. */
            model: string;
        };
        /** @description One fault of the submission. */
        BankRun_Refusal: {
            /** @description Stable, UPPER_SNAKE: NOTHING_LEFT, BANK_ARCHIVED, …. */
            reason: string;
            message: string;
            messageZh: string;
        };
        /** @description A certificate that a process shows. */
        Certificate: {
            /** @description `tls`: to other processes; `https`: to browsers. */
            name: string;
            /** Format: date-time */
            expireTime?: string;
        };
        /**
         * @description * `CHANGE_UNSPECIFIED`
         *     * `CHANGE_REGRESSED`
         *     * `CHANGE_FIXED`
         *     * `CHANGE_UNCHANGED_WRONG`
         *     * `CHANGE_UNCHANGED_RIGHT`
         * @enum {string}
         */
        Change: "CHANGE_UNSPECIFIED" | "CHANGE_REGRESSED" | "CHANGE_FIXED" | "CHANGE_UNCHANGED_WRONG" | "CHANGE_UNCHANGED_RIGHT";
        ChangePasswordRequest: {
            password: string;
            newPassword: string;
        };
        /** @description How many samples changed, and whether that proves anything. */
        Changes: {
            /**
             * Format: int64
             * @description Wrong in base, right in candidate.
             */
            fixedCount: string;
            /**
             * Format: int64
             * @description Right in base, wrong in candidate.
             */
            regressedCount: string;
            /** Format: int64 */
            unchangedRightCount: string;
            /** Format: int64 */
            unchangedWrongCount: string;
            /**
             * Format: double
             * @description McNemar's exact test: how probable it is that two equally good models split the changed samples at least as
             *     unevenly.
             */
            pValue: number;
            /**
             * Format: double
             * @description The same, corrected for having looked at every code (Holm). Overall it is p_value.
             */
            adjustedPValue: number;
            /** @description Of adjusted_p_value, at 0.05. */
            conclusion: components["schemas"]["Conclusion"];
            /** @description What it means, in a sentence. */
            message: string;
            messageZh: string;
        };
        /** @description Counts so far, and what was found since the message before. */
        CheckStorageResponse: {
            /**
             * Format: int64
             * @description Objects that rows name, and that were looked at.
             */
            objectCount: string;
            /**
             * Format: int64
             * @description Events that rows have.
             */
            eventCount: string;
            /**
             * Format: int64
             * @description Of both, those that are lost: everything of another kind than ORPHAN and NOT_PUBLISHED.
             */
            lostCount: string;
            /**
             * Format: int64
             * @description Objects that no row names.
             */
            orphanCount: string;
            /** @description At most 1,000 of a kind in a folder or stream; the counts have all. */
            findings: components["schemas"]["StorageFinding"][];
        };
        CodeChanges: {
            code: string;
            changes?: components["schemas"]["Changes"];
        };
        CodeCount: {
            code: string;
            /** Format: int64 */
            sampleCount: string;
            /**
             * Format: int64
             * @description Samples of this code with a mask.
             */
            maskCount: string;
        };
        /**
         * @description How many parts the samples of a code make: what can be divided between training and validation (D3). A part is all
         *     samples that share a group or content, directly or through other samples.
         */
        CodeParts: {
            code: string;
            /** Format: int64 */
            sampleCount: string;
            /** Format: int64 */
            partCount: string;
            /**
             * @description Codes, this one among them, whose shared parts no split can divide so that each of them has a sample to train and
             *     one to validate with: of three groups that show A and B, B and C, A and C, two are on one side. Rule D9.
             */
            tiedCodes: string[];
        };
        CodeResult: {
            code: string;
            /** @description Outside the classifier's classes. */
            special: boolean;
            /**
             * Format: int64
             * @description Samples that truly have this code.
             */
            support: string;
            /** @description Of those predicted as this code, how many truly are. */
            precision?: components["schemas"]["Estimate"];
            /** @description Of those that truly are, how many were predicted so. */
            recall?: components["schemas"]["Estimate"];
            /**
             * Format: double
             * @description Absent where no sample truly has the code.
             */
            f1?: number;
            /** Format: int64 */
            misjudgedCount: string;
            /** Format: int64 */
            nonconformingCount: string;
            /** @description Of its regions; absent where the report has no segmentation. */
            iou?: components["schemas"]["IntersectionOverUnion"];
        };
        /** @description The samples of a code, over all data paths. The trainer divides them after the resolution filter. */
        CodeSamples: {
            code: string;
            /** @description Not a class of the classifier. */
            special: boolean;
            /** Format: int64 */
            sampleCount: string;
            /**
             * Format: int64
             * @description What a split does not divide: samples of one group, or of equal content (D3).
             */
            partCount: string;
            /**
             * Format: int64
             * @description Exact where every sample is a part of its own, none is set aside, and no parent's split holds; else about that many.
             */
            trainCount: string;
            /** Format: int64 */
            validationCount: string;
            /**
             * Format: int64
             * @description Of the samples, those with a mask.
             */
            maskCount: string;
        };
        CodeScore: {
            code: string;
            /** Format: double */
            score: number;
        };
        /** @description One sample in both reports. */
        ComparedSample: {
            change: components["schemas"]["Change"];
            base?: components["schemas"]["SampleResult"];
            candidate?: components["schemas"]["SampleResult"];
        };
        /** @description What became of the samples that two reports have in common. Rule P2. */
        Comparison: {
            /** @description `reports/{report}`. */
            base: string;
            candidate: string;
            /**
             * Format: int64
             * @description Samples that both judged, under the same true code; all changes are counted over them. Samples are the same where
             *     data path, file and content are.
             */
            comparedCount: string;
            /**
             * Format: int64
             * @description Samples of one report that the other does not have: another bank, or another revision of a data path.
             */
            baseOnlyCount: string;
            /** Format: int64 */
            candidateOnlyCount: string;
            /**
             * Format: int64
             * @description In both, and nonconforming in at least one: neither right nor wrong there.
             */
            notJudgedCount: string;
            /**
             * Format: int64
             * @description In both, under different true codes.
             */
            relabelledCount: string;
            /** @description Codes in the code_list of one report only: to the other model their samples are lost from the start. */
            baseOnlyCodes: string[];
            candidateOnlyCodes: string[];
            overall?: components["schemas"]["Changes"];
            /** @description In the order of the candidate's code_list, then those of the base alone. */
            codes: components["schemas"]["CodeChanges"][];
        };
        /** @description A named kind of hardware with what one task takes of it. Rule W7. */
        ComputeResource: {
            /** @description `computeResources/{resource}`. */
            name: string;
            description: string;
            /**
             * Format: int64
             * @description Of one host, as the two below.
             */
            gpus: number;
            /** Format: int64 */
            cpus: number;
            /** Format: uint64 */
            memoryBytes: string;
            /**
             * Format: int64
             * @description Hosts that a training takes these amounts of, each. All other jobs take those of one host. 0: 1.
             */
            nodes: number;
        };
        /**
         * @description * `CONCLUSION_UNSPECIFIED`
         *     * `CONCLUSION_NO_DIFFERENCE_SHOWN`: Chance alone would do this too often.
         *     * `CONCLUSION_CANDIDATE_BETTER`
         *     * `CONCLUSION_BASE_BETTER`
         * @enum {string}
         */
        Conclusion: "CONCLUSION_UNSPECIFIED" | "CONCLUSION_NO_DIFFERENCE_SHOWN" | "CONCLUSION_CANDIDATE_BETTER" | "CONCLUSION_BASE_BETTER";
        ConfusionMatrix: {
            /** @description Row-major: counts[true * size + predicted], both in the order of the report's code_list. */
            counts: string[];
            /** Format: int64 */
            size: number;
        };
        Consumer: {
            /** @description `registry-releases`. */
            name: string;
            /** @description `TASKS`. */
            stream: string;
            /**
             * Format: int64
             * @description Events that it was not given yet, or has not handled: its lag.
             */
            pendingCount: string;
        };
        CountPartsRequest: {
            /** @description `datasets/{dataset}/paths/{path}`; at most 500. */
            dataPaths: string[];
            /** @description Samples of other codes join no parts; at most 1000. */
            codes: string[];
        };
        CountPartsResponse: {
            /** @description In the order of the request; codes without a sample are left out. */
            codes: components["schemas"]["CodeParts"][];
        };
        CreateQuestionBankRevisionRequest: {
            /** @description Empty: those of the current revision, as they are listed now. */
            dataPaths: string[];
            /** @description As of UpdateQuestionBankRequest. */
            etag: string;
        };
        CreateRelabelMarkRequest: {
            /** @description `reports/{report}/sampleResults/{result}`. */
            sampleResult: string;
            rightCode: string;
            note: string;
        };
        CreateTaskRequest: {
            /** @description Its `training` or `prediction`, and `priority`. */
            task?: components["schemas"]["Task"];
            /** @description The same id gives the same task; chosen by the caller, at most 64 characters. */
            requestId: string;
            /** @description Checks everything and submits nothing; the task comes back as it would be made. */
            validateOnly: boolean;
        };
        /** @description A named listing of sample images. Rules W4 and D1. */
        DataPath: {
            /** @description `datasets/{dataset}/paths/{path}`. */
            name: string;
            description: string;
            status: components["schemas"]["DataPathStatus"];
            /** Format: int64 */
            sampleCount: string;
            /** @description In the order of the code. */
            codeCounts: components["schemas"]["CodeCount"][];
            /** Format: int64 */
            maskCount: string;
            /**
             * Format: int64
             * @description Grows with every change of the listing.
             */
            revision: string;
            /** Format: date-time */
            createTime?: string;
            /** Format: date-time */
            updateTime?: string;
            /**
             * @description What the values of the path's masks mean (D1). Empty: 0 is background, above 127 the sample's own code. Otherwise
             *     masks are 8-bit grey, 0 is background and value i is the i-th of these codes. May be set while no sample has a
             *     mask, and then only be extended at its end. Manifests carry it in every line with a mask, as `mask_codes`.
             */
            maskCodes: string[];
            /**
             * @description `users/{user}`: who made the path, or who got it since. Only the owner and administrators change it (A4). Empty:
             *     shared, every engineer may.
             */
            owner: string;
            /** @description Banks that are tested with the path now, `questionBanks/{bank}`, sorted. A training with it is refused (P7). */
            questionBanks: string[];
            /**
             * Format: int32
             * @description How many bits of the values in grey files of 16 bits the path's cameras use (D6): importers scale by it. 10, 12 or
             *     14; 0: all 16. May be set while the path has no such picture.
             */
            bits: number;
        };
        /**
         * @description * `DATA_PATH_STATUS_UNSPECIFIED`
         *     * `DATA_PATH_STATUS_VALID`: At least one image.
         *     * `DATA_PATH_STATUS_INVALID`: No image under it; blocks the wizard's second step (W5).
         * @enum {string}
         */
        DataPathStatus: "DATA_PATH_STATUS_UNSPECIFIED" | "DATA_PATH_STATUS_VALID" | "DATA_PATH_STATUS_INVALID";
        /** @description A named group of data paths. */
        Dataset: {
            /** @description `datasets/{dataset}`. */
            name: string;
            description: string;
            /** Format: int32 */
            pathCount: number;
            /** Format: int64 */
            sampleCount: string;
            /** Format: date-time */
            createTime?: string;
            creator: string;
        };
        /**
         * @description Which way decided (S3).
         *
         *     * `DECIDED_BY_UNSPECIFIED`
         *     * `DECIDED_BY_SOFTMAX`
         *     * `DECIDED_BY_FEATURE_DISTANCE`: Distance to a special code's features (S2).
         *     * `DECIDED_BY_REGION`: A region of the segmentation network (S1).
         * @enum {string}
         */
        DecidedBy: "DECIDED_BY_UNSPECIFIED" | "DECIDED_BY_SOFTMAX" | "DECIDED_BY_FEATURE_DISTANCE" | "DECIDED_BY_REGION";
        /** @description A term and what it means, in English and Chinese. */
        Definition: {
            /** @description Stable, such as `macro_recall`. */
            id: string;
            term: string;
            termZh: string;
            meaning: string;
            meaningZh: string;
        };
        /** @description A data path in the bin: its listing is as it was, nothing uses it, and its name is free for another. Rule D8. */
        DeletedDataPath: {
            /** @description `datasets/{dataset}/deletedPaths/{path}.{number}`. */
            name: string;
            /** @description As it was when it was deleted. */
            dataPath?: components["schemas"]["DataPath"];
            /** Format: date-time */
            deleteTime?: string;
            deleter: string;
            /**
             * Format: date-time
             * @description From then on the registry purges it: its listing is gone for good.
             */
            purgeTime?: string;
        };
        /** @description The file system of a folder. */
        Disk: {
            /** @description What the folder is for: `data` is that of the embedded stack's stores, the bucket among them. */
            name: string;
            /** Format: int64 */
            freeBytes: string;
            /** Format: int64 */
            sizeBytes: string;
        };
        /** @description Answers of the wizard that were not submitted yet (W14). Everybody has drafts of their own, and sees no others. */
        Draft: {
            /**
             * @description `drafts/{draft}`; the id is the client's choice. The console keeps a new model in `new`, and a retraining in
             *     `{model}.{version}`.
             */
            name: string;
            /** @description As they were given, sound or not; without what is output only. */
            training?: components["schemas"]["TrainingSpec"];
            /**
             * Format: int32
             * @description The step of the wizard that was looked at last, 1 to 5.
             */
            step: number;
            /**
             * Format: date-time
             * @description Output only; absent: nothing is kept.
             */
            updateTime?: string;
            /** @description Output only; changes with every update. Empty: nothing is kept. */
            etag: string;
        };
        DraftRetrainingResponse: {
            /** @description Its `training`, with an exact parent_version, is what CreateTask takes. */
            task?: components["schemas"]["Task"];
            /** @description Those of its data_paths that cannot be removed: bound by any version of the model that is not archived (W6). */
            lockedDataPaths: string[];
        };
        DrainWorkerRequest: Record<string, never>;
        /** @description A share with its 95 % interval. */
        Estimate: {
            /**
             * Format: double
             * @description Absent where it is undefined: 0 of 0, or the precision of a code that no sample truly has.
             */
            value?: number;
            /**
             * Format: double
             * @description Wilson score interval.
             */
            low: number;
            /** Format: double */
            high: number;
            /** Format: int64 */
            numerator: string;
            /** Format: int64 */
            denominator: string;
        };
        ExportModelVersionRequest: {
            /** @description Unspecified: CSOT_ARTIFACT. */
            format: components["schemas"]["PackageFormat"];
            /**
             * @description `computeResources/{resource}` whose workers do it; empty: that of the version's training. Of a task that is there
             *     already it changes nothing.
             */
            computeResource: string;
        };
        /** @description X. ExportModelVersion makes it; what it made is among the version's packages. */
        ExportSpec: {
            /** @description `models/{model}/versions/{version}`, exact. */
            modelVersion: string;
            format: components["schemas"]["PackageFormat"];
            /** @description `computeResources/{resource}`. */
            computeResource: string;
        };
        /** @description T5, M6. */
        Failure: {
            /** @description OUT_OF_MEMORY, NAN_LOSS, CODE_ON_ONE_SIDE, CHILD_DIED, INFRASTRUCTURE_RETRIES, …. */
            code: string;
            /** @description The cause. */
            message: string;
            messageZh: string;
            /** @description The end of the log. */
            logTail: string;
            /** @description Output only: what to do about it. */
            remedy: string;
            /** @description Output only. */
            remedyZh: string;
        };
        /**
         * @description * `IMAGE_KIND_UNSPECIFIED`
         *     * `IMAGE_KIND_GENERAL`: No environment; its model parameters are the user's to set.
         *     * `IMAGE_KIND_BUSINESS`: Bound to one production environment; parameters fixed.
         * @enum {string}
         */
        ImageKind: "IMAGE_KIND_UNSPECIFIED" | "IMAGE_KIND_GENERAL" | "IMAGE_KIND_BUSINESS";
        /**
         * @description What became of one import into a data path, as its importer told it. The registry keeps the last 20 of a path.
         *     Rule D7.
         */
        ImportReport: {
            /** @description `datasets/{dataset}/paths/{path}/importReports/{report}`. */
            name: string;
            /** @description `users/{user}`, and when the report arrived. */
            creator: string;
            /** Format: date-time */
            createTime?: string;
            /** @description The folder as the importer calls it, and what lay in it: folders, labelme, coco or voc. */
            folder: string;
            format: string;
            /**
             * Format: int64
             * @description Files found below the folder, and those of them that were read for samples. The others are lines.
             */
            foundCount: string;
            /** Format: int64 */
            usedCount: string;
            /**
             * Format: int64
             * @description Samples that were offered, and what became of them.
             */
            sampleCount: string;
            /** Format: int64 */
            addedCount: string;
            /** Format: int64 */
            unchangedCount: string;
            /** Format: int64 */
            replacedCount: string;
            /** Format: int64 */
            rejectedCount: string;
            /**
             * Format: int64
             * @description Of the samples offered, those with a mask.
             */
            maskCount: string;
            /**
             * Format: int64
             * @description Groups of the samples offered, and where they come from: a column, or an expression.
             */
            groupCount: string;
            groupColumn: string;
            /**
             * Format: int64
             * @description Bytes of the pictures and masks that were offered, and of those that were sent.
             */
            sizeBytes: string;
            /** Format: int64 */
            uploadedBytes: string;
            /**
             * Format: int32
             * @description Significant bits of deep pictures that the importer scaled by (D6); 0: none said.
             */
            bits: number;
            /**
             * Format: int64
             * @description All lines that the importer has. At most 20,000 are kept.
             */
            lineCount: string;
            /** @description Only of GetImportReport: how many kept lines there are of each kind and reason, the most frequent first. */
            lineCounts: components["schemas"]["ImportReport_LineCount"][];
        };
        /** @description A file that was not taken, or taken with doubt, and why. */
        ImportReportLine: {
            kind: components["schemas"]["ImportReportLine_Kind"];
            /** @description Its path below the folder, or its name in the data path; characters that cannot be shown are escaped. */
            file: string;
            /** @description Stable, such as TRUNCATED, NO_CODE or FEW_BITS. */
            reason: string;
            message: string;
            messageZh: string;
            /** @description `{code}/{file}` of the sample in the data path, where there is one. */
            sampleFile: string;
        };
        /**
         * @description * `KIND_UNSPECIFIED`
         *     * `KIND_REJECTED`: Offered, and refused.
         *     * `KIND_LEFT_OUT`: A file that was not offered.
         *     * `KIND_PART_LEFT_OUT`: A part of what an annotation says.
         *     * `KIND_DOUBTFUL`: Taken; somebody should look whether it is right.
         *     * `KIND_DUPLICATE`: Taken, and the same picture lies elsewhere: under another code, in another path, or twice in the folder.
         * @enum {string}
         */
        ImportReportLine_Kind: "KIND_UNSPECIFIED" | "KIND_REJECTED" | "KIND_LEFT_OUT" | "KIND_PART_LEFT_OUT" | "KIND_DOUBTFUL" | "KIND_DUPLICATE";
        ImportReport_LineCount: {
            kind: components["schemas"]["ImportReportLine_Kind"];
            reason: string;
            /** Format: int64 */
            count: string;
        };
        /** @description What of an input specification decides how long a training image takes. */
        InputSize: {
            /** Format: int32 */
            width: number;
            /** Format: int32 */
            height: number;
            /**
             * Format: int32
             * @description 1: images are seen whole; else through windows of an image of so many times the width and height.
             */
            detail: number;
        };
        /**
         * @description What the network is fed, and which originals conform. Preprocessing is the same in training, evaluation and export.
         *     What is 0 or empty in a request has its default; answers hold the default itself.
         */
        InputSpecification: {
            /**
             * Format: int64
             * @description Pixels.
             */
            width: number;
            /**
             * Format: int64
             * @description Pixels.
             */
            height: number;
            /**
             * Format: int64
             * @description 0: 3.
             */
            channels: number;
            /** @description Per channel, of values scaled to 0..1. Empty: 0.485, 0.456, 0.406. */
            mean: number[];
            /** @description Empty: 0.229, 0.224, 0.225. */
            std: number[];
            /**
             * Format: int64
             * @description Least side of an original in pixels; smaller ones are nonconforming. 0: 32.
             */
            minSide: number;
            /**
             * Format: float
             * @description Largest ratio of an original's longer to its shorter side. 0: 8.
             */
            maxAspectRatio: number;
            /**
             * @description Each image is normalised by its own mean and deviation; `mean` and `std` are then not used. For inspection images
             *     whose exposure varies.
             */
            perImageNormalisation: boolean;
            /**
             * Format: int64
             * @description Where all classes but one have masks, images are resized to `detail` times width and height and seen through
             *     overlapping windows of width × height: training cuts them at the defects, prediction judges an image by its most
             *     suspicious one. It keeps small defects visible at the price of (2·detail - 1)² network inputs an image. Without
             *     such masks, and with 1, images are seen whole. At most 16. 0: 1.
             */
            detail: number;
        };
        /** @description Pixels summed over the samples first, then divided: a large defect counts more than a small one. */
        IntersectionOverUnion: {
            /**
             * Format: double
             * @description intersection / (truth + predicted - intersection); absent where neither has a pixel.
             */
            value?: number;
            /** Format: int64 */
            intersection: string;
            /** Format: int64 */
            truth: string;
            /** Format: int64 */
            predicted: string;
        };
        /**
         * @description A unit of leased work. A job's state: QUEUED, LEASED (and back to QUEUED when its lease runs out), DONE.
         *
         *     * `JOB_KIND_UNSPECIFIED`
         *     * `JOB_KIND_TRAIN`
         *     * `JOB_KIND_EVALUATE`
         *     * `JOB_KIND_PREDICT`
         *     * `JOB_KIND_PACKAGE`
         * @enum {string}
         */
        JobKind: "JOB_KIND_UNSPECIFIED" | "JOB_KIND_TRAIN" | "JOB_KIND_EVALUATE" | "JOB_KIND_PREDICT" | "JOB_KIND_PACKAGE";
        /**
         * @description The versions that were tested with one revision of a question bank, before or after their release. Trainings that are
         *     not released are not ranked. Rule P8.
         */
        Leaderboard: {
            /** @description `questionBanks/{bank}/revisions/{number}`. */
            questionBank: string;
            /** @description `productionEnvironments/{environment}` of the bank. */
            productionEnvironment: string;
            /** @description By accuracy, best first. */
            entries: components["schemas"]["LeaderboardEntry"][];
            /**
             * Format: int32
             * @description Versions that were tested and are not listed: of more than 200 those with the oldest reports.
             */
            leftOutCount: number;
        };
        /** @description One version, by its newest report over the revision. */
        LeaderboardEntry: {
            /**
             * Format: int32
             * @description 1 is best; entries of the same accuracy have the same rank.
             */
            rank: number;
            /** @description `models/{model}/versions/{version}`. */
            modelVersion: string;
            /** @description `reports/{report}`. */
            report: string;
            /** Format: date-time */
            reportTime?: string;
            /** @description Accuracy with its Wilson interval, macro F1. */
            overall?: components["schemas"]["Overall"];
            /**
             * Format: int64
             * @description Left out because the version was trained with them: its figures are over the others.
             */
            excludedSampleCount: string;
            /** Format: int64 */
            nonconformingCount: string;
            /** @description Whether the version carries the alias `production`. */
            inProduction: boolean;
            /**
             * @description The version in production that this one is compared with: that of its model, or else the only one of the bank's
             *     environment. Empty where there is none, and for itself.
             */
            comparedWith: string;
            /**
             * @description Against that version, over the samples that both judged: it is the base. p-values are adjusted for having compared
             *     all entries (Holm). Absent where nothing was compared.
             */
            changes?: components["schemas"]["Changes"];
            /** @description Why nothing was compared; empty where something was. */
            notCompared: string;
            notComparedZh: string;
        };
        LinkContactSheetResponse: {
            url: string;
            /** Format: date-time */
            expireTime?: string;
        };
        LinkPackageResponse: {
            url: string;
            /** Format: date-time */
            expireTime?: string;
            package?: components["schemas"]["Package"];
            /** @description What the link calls the file: `panel-adc-v3.01.zip`. */
            fileName: string;
        };
        LinkSamplePictureResponse: {
            url: string;
            /** Format: date-time */
            expireTime?: string;
        };
        LinkSampleResponse: {
            url: string;
            /** Format: date-time */
            expireTime?: string;
        };
        LinkWeightsResponse: {
            url: string;
            /** Format: date-time */
            expireTime?: string;
            /** @description Hex SHA-256 of what the link reads. */
            sha256: string;
        };
        ListAlgorithmImageVersionsResponse: {
            versions: components["schemas"]["AlgorithmImageVersion"][];
            nextPageToken: string;
        };
        ListAlgorithmImagesResponse: {
            algorithmImages: components["schemas"]["AlgorithmImage"][];
            nextPageToken: string;
        };
        ListAuditEntriesResponse: {
            entries: components["schemas"]["AuditEntry"][];
            nextPageToken: string;
        };
        ListBankRunsResponse: {
            runs: components["schemas"]["BankRun"][];
            nextPageToken: string;
        };
        ListComparedSamplesResponse: {
            samples: components["schemas"]["ComparedSample"][];
            nextPageToken: string;
        };
        ListComputeResourcesResponse: {
            computeResources: components["schemas"]["ComputeResource"][];
            nextPageToken: string;
        };
        ListDataPathsResponse: {
            dataPaths: components["schemas"]["DataPath"][];
            nextPageToken: string;
        };
        ListDatasetsResponse: {
            datasets: components["schemas"]["Dataset"][];
            nextPageToken: string;
        };
        ListDeletedDataPathsResponse: {
            /** @description By dataset and id, paths of one id in the order in which they were made. */
            dataPaths: components["schemas"]["DeletedDataPath"][];
            nextPageToken: string;
        };
        ListImportReportLinesResponse: {
            lines: components["schemas"]["ImportReportLine"][];
            nextPageToken: string;
        };
        ListImportReportsResponse: {
            importReports: components["schemas"]["ImportReport"][];
            nextPageToken: string;
        };
        ListModelVersionsResponse: {
            versions: components["schemas"]["ModelVersion"][];
            nextPageToken: string;
        };
        ListModelsResponse: {
            models: components["schemas"]["Model"][];
            nextPageToken: string;
        };
        ListNonconformingSamplesResponse: {
            samples: components["schemas"]["NonconformingSample"][];
            nextPageToken: string;
        };
        ListProductionEnvironmentsResponse: {
            productionEnvironments: components["schemas"]["ProductionEnvironment"][];
            nextPageToken: string;
        };
        ListQuestionBankRevisionsResponse: {
            revisions: components["schemas"]["QuestionBankRevision"][];
            nextPageToken: string;
        };
        ListQuestionBanksResponse: {
            questionBanks: components["schemas"]["QuestionBank"][];
            nextPageToken: string;
        };
        ListRelabelMarksResponse: {
            marks: components["schemas"]["RelabelMark"][];
            nextPageToken: string;
        };
        ListReportsResponse: {
            reports: components["schemas"]["Report"][];
            nextPageToken: string;
        };
        ListSampleResultsResponse: {
            results: components["schemas"]["SampleResult"][];
            nextPageToken: string;
        };
        ListSamplesResponse: {
            samples: components["schemas"]["Sample"][];
            nextPageToken: string;
        };
        ListStorageQuotasResponse: {
            storageQuotas: components["schemas"]["StorageQuota"][];
            nextPageToken: string;
        };
        ListSuspectedLabelsResponse: {
            labels: components["schemas"]["SuspectedLabel"][];
            nextPageToken: string;
        };
        ListTaskTransitionsResponse: {
            transitions: components["schemas"]["TaskTransition"][];
        };
        ListTasksResponse: {
            /**
             * @description What T3 shows, and what tells tasks apart; of predictions also their training_overlap and question_bank.
             *     Parameters, data paths, snapshots, preprocessing, stages, hashes and the end of a failure's log are GetTask's: they
             *     are most of a task, and nobody reads fifty of them.
             */
            tasks: components["schemas"]["Task"][];
            nextPageToken: string;
        };
        ListTokensResponse: {
            tokens: components["schemas"]["Token"][];
            nextPageToken: string;
        };
        ListUsersResponse: {
            users: components["schemas"]["User"][];
            nextPageToken: string;
        };
        ListWorkersResponse: {
            workers: components["schemas"]["Worker"][];
            nextPageToken: string;
        };
        LogInRequest: {
            userId: string;
            password: string;
            /**
             * @description Becomes the user's own password. Needed where `password` is a one-time one; without it the answer is
             *     FAILED_PRECONDITION with the reason PASSWORD_CHANGE_REQUIRED.
             */
            newPassword: string;
        };
        LogInResponse: {
            principal?: components["schemas"]["Principal"];
            /** @description The session's token. Over HTTP it is in the cookie and not here. */
            secret: string;
        };
        LossCurve: {
            task: string;
            network: components["schemas"]["Network"];
            /** Format: int32 */
            attempt: number;
            /** @description Ascending. */
            iterations: string[];
            /** @description Of the same length. */
            losses: number[];
            /**
             * Format: int64
             * @description How many points the curve has in the range, before downsampling.
             */
            totalPoints: string;
            validation: components["schemas"]["ValidationPoint"][];
            /**
             * @description Whether fewer points than that are kept, because the training ended long ago (`LOUPE_CURVES_KEEP_DAYS`): then these
             *     are the ends of the curve and its extremes between, at any `max_points`.
             */
            thinned: boolean;
        };
        /** @description A released model with its versions. Rules R2 and R3. */
        Model: {
            /** @description `models/{model}`. */
            name: string;
            productionEnvironment: string;
            taskType: components["schemas"]["TaskType"];
            /** @description Name of the newest version, by number. */
            latestVersion: string;
            lastModifier: string;
            /** Format: date-time */
            createTime?: string;
            /** Format: date-time */
            updateTime?: string;
        };
        /** @description One immutable released version with its whole lineage. */
        ModelVersion: {
            /** @description `models/{model}/versions/v{major}.{nn}`, nn with at least two digits. */
            name: string;
            /**
             * Format: int64
             * @description The image version's (v3.0 gives 3).
             */
            major: number;
            /**
             * Format: int64
             * @description Counts the releases of the model under `major` from 1; after 99 comes 100.
             */
            releaseNumber: number;
            /** @description `tasks/{task}` that made it. */
            task: string;
            /** @description `algorithmImages/{image}/versions/{version}`. */
            algorithmImageVersion: string;
            /** @description `models/{model}/versions/{version}` that it was retrained from; empty for a first one. */
            parentVersion: string;
            /** @description Hex SHA-256; the object is `weights/{sha256}.safetensors`. */
            weightsSha256: string;
            snapshots: string[];
            /** @description In order; the first num_of_classes are the classifier's, the rest special defects. */
            codeList: string[];
            /** Format: int64 */
            numOfClasses: number;
            input?: components["schemas"]["InputSpecification"];
            modelParams?: {
                [key: string]: unknown;
            };
            trainingParams?: {
                [key: string]: unknown;
            };
            preprocessingParams?: {
                [key: string]: unknown;
            };
            /** Format: int64 */
            seed: string;
            /** @description `reports/{report}` of the validation split. */
            report: string;
            releaser: string;
            /** Format: date-time */
            createTime?: string;
            /** @description Hidden from lists unless asked for; never deleted. */
            archived: boolean;
            /** @description Sorted. */
            aliases: string[];
            productionEnvironment: string;
            taskType: components["schemas"]["TaskType"];
            /** @description What was exported of it: at most one of each format. */
            packages: components["schemas"]["Package"][];
            /** @description Changes with every change of the version: archived, aliases, packages. */
            etag: string;
            /** @description Of which look at the validation split the weights are (E4); absent of versions from before looks were kept. */
            looks?: components["schemas"]["TrainingLooks"];
        };
        /**
         * @description * `NETWORK_UNSPECIFIED`
         *     * `NETWORK_CLASSIFICATION`
         *     * `NETWORK_SEGMENTATION`
         * @enum {string}
         */
        Network: "NETWORK_UNSPECIFIED" | "NETWORK_CLASSIFICATION" | "NETWORK_SEGMENTATION";
        /** @description The looks at one network. The last one is after its last iteration. */
        NetworkLooks: {
            /**
             * Format: int64
             * @description After which the training ends, if not early.
             */
            maxIteration: string;
            /** Format: int32 */
            lookCount: number;
            /**
             * Format: int64
             * @description Iterations that the weights of the best look have; of equal looks the first. Where there is nothing to judge the
             *     network on, those of the last look.
             */
            bestIteration: string;
            /**
             * Format: double
             * @description In [0, 1]: accuracy, or of segmentation IoU of any defect; absent where there is nothing to judge the network on.
             */
            bestScore?: number;
            /**
             * Format: int64
             * @description Less than max_iteration: the training ended early, because looks_since_best reached the parameter `patience`.
             */
            lastIteration: string;
            /** Format: double */
            lastScore?: number;
            /** Format: int32 */
            looksSinceBest: number;
        };
        /** @description How one network will be trained. */
        NetworkPlan: {
            network: components["schemas"]["Network"];
            /** @description `ResNet18`; empty for segmentation, whose network the user does not choose. */
            name: string;
            /** Format: int64 */
            maxIter: string;
            /** Format: int64 */
            batchSize: string;
            /**
             * Format: int64
             * @description On the training side; of segmentation those with a mask.
             */
            trainCount: string;
            /**
             * Format: double
             * @description max_iter · batch_size / train_count; 0 without a sample.
             */
            epochs: number;
            /**
             * Format: double
             * @description Median of the latest trainings with this resource and input; 0: none was measured yet, nor with a similar input.
             */
            imagesPerS: number;
            /**
             * Format: int32
             * @description How many trainings that is the median of.
             */
            measuredCount: number;
            /**
             * @description Set where no training with this input was measured, but some with that one: images_per_s is estimated from
             *     theirs, in inverse proportion to the pixels of a training input. Never one with more than 16 times the pixels, or
             *     less than a sixteenth.
             */
            scaledFrom?: components["schemas"]["InputSize"];
        };
        /** @description A sample that the resolution filter set aside, or that could not be read (D4). */
        NonconformingSample: {
            /** @description `{code}/{file}`. */
            file: string;
            dataPath: string;
            sha256: string;
            /**
             * @description Of the resolution filter: RESOLUTION_TOO_LOW, ASPECT_RATIO, RESOLUTION_OFF_NOMINAL; of a file that could not be
             *     read (D4): EMPTY, NOT_AN_IMAGE, TYPE_MISMATCH, TRUNCATED, TOO_LARGE, DECODE_FAILED, TOO_MANY_PARTS,
             *     SEVERAL_PICTURES, NO_RANGE, UNSUPPORTED_KIND, TOO_MUCH_MEMORY, TOO_SLOW, BAD_MASK.
             */
            reason: string;
            message: string;
            /**
             * Format: int32
             * @description Of the file; 0 where it could not be told.
             */
            width: number;
            /** Format: int32 */
            height: number;
            /** @description Empty where a decoder said it, in English. */
            messageZh: string;
        };
        Overall: {
            /** Format: int64 */
            sampleCount: string;
            /** Format: int64 */
            correctCount: string;
            /** @description correct / all. */
            accuracy?: components["schemas"]["Estimate"];
            /**
             * Format: double
             * @description Mean of the codes' precision, recall and F1 over the codes that occur among the samples; a precision that is
             *     undefined counts as 0. Absent, as all that follows, without a sample.
             */
            macroPrecision?: number;
            /** Format: double */
            macroRecall?: number;
            /** Format: double */
            macroF1?: number;
            /**
             * Format: double
             * @description Accuracy of always naming the commonest code: what any model must beat.
             */
            majorityShare?: number;
        };
        /** @description A zip for machines that run the version without Loupe (X). Recorded once, never replaced. */
        Package: {
            format: components["schemas"]["PackageFormat"];
            /** @description Hex SHA-256; the object is `packages/{sha256}.zip`. */
            sha256: string;
            /** Format: int64 */
            sizeBytes: string;
            /** Format: date-time */
            createTime?: string;
            /**
             * Format: int64
             * @description CSOT_ARTIFACT: of the library's C interface.
             */
            abiVersion: number;
            /**
             * Format: int64
             * @description CSOT_ARTIFACT: of models.xbin.
             */
            formatVersion: number;
        };
        /**
         * @description * `PACKAGE_FORMAT_UNSPECIFIED`
         *     * `PACKAGE_FORMAT_CSOT_ARTIFACT`: models.xbin, libCsotArtifact.so and config.yaml (X1).
         *     * `PACKAGE_FORMAT_ONNX`: classifier.onnx, perhaps segmenter.onnx, and config.yaml, for a runtime of one's own.
         * @enum {string}
         */
        PackageFormat: "PACKAGE_FORMAT_UNSPECIFIED" | "PACKAGE_FORMAT_CSOT_ARTIFACT" | "PACKAGE_FORMAT_ONNX";
        /**
         * @description Whether a user can log in to the console. Rule A1.
         *
         *     * `PASSWORD_STATE_UNSPECIFIED`
         *     * `PASSWORD_STATE_NONE`: No: machines have tokens only.
         *     * `PASSWORD_STATE_ONE_TIME`: With a password that an administrator handed out, and only to choose an own one.
         *     * `PASSWORD_STATE_OWN`: With a password that nobody else knows.
         * @enum {string}
         */
        PasswordState: "PASSWORD_STATE_UNSPECIFIED" | "PASSWORD_STATE_NONE" | "PASSWORD_STATE_ONE_TIME" | "PASSWORD_STATE_OWN";
        PathSamples: {
            /** @description `datasets/{dataset}/paths/{path}`. */
            dataPath: string;
            /** Format: int64 */
            sampleCount: string;
        };
        /**
         * @description Where inside TRAINING, PREDICTING or PACKAGING a task is.
         *
         *     * `PHASE_UNSPECIFIED`
         *     * `PHASE_PREPROCESSING`
         *     * `PHASE_TRAINING`
         *     * `PHASE_EVALUATING`
         *     * `PHASE_PREDICTING`
         *     * `PHASE_PACKAGING`
         * @enum {string}
         */
        Phase: "PHASE_UNSPECIFIED" | "PHASE_PREPROCESSING" | "PHASE_TRAINING" | "PHASE_EVALUATING" | "PHASE_PREDICTING" | "PHASE_PACKAGING";
        /**
         * @description How the true and the predicted mask of one sample agree on one code, at the size of the segmentation network's input.
         *     IoU is intersection / (truth + predicted - intersection), its sums taken over the samples first.
         */
        PixelCounts: {
            /** @description Empty: a defect of any code against the background, which the codes' counts cannot tell. */
            code: string;
            /** Format: int64 */
            intersection: string;
            /** Format: int64 */
            truth: string;
            /** Format: int64 */
            predicted: string;
        };
        PlanSampleUploadsRequest: {
            /** @description Hex SHA-256 of each object that the importer holds; at most 1000. */
            sha256s: string[];
            /**
             * @description Size of each object, in the order of `sha256s`: its link then takes exactly so many bytes. Without sizes, as
             *     older clients ask, a link takes any number, and what is too large is refused when it is added.
             */
            sizeBytes: string[];
            /**
             * @description The importer sends small objects together: of uploads with one URL, the bytes in one body, in the order of the
             *     answer. Needs sizes.
             */
            joined: boolean;
        };
        PlanSampleUploadsResponse: {
            /** @description Only the missing ones, without those that are too large. */
            uploads: components["schemas"]["PlanSampleUploadsResponse_Upload"][];
        };
        PlanSampleUploadsResponse_Upload: {
            sha256: string;
            /** @description Presigned PUT, good for an hour. The bytes are a sample's when AddSamples has verified them. */
            url: string;
        };
        /** @description P1. */
        PredictionSpec: {
            /** @description `models/{model}/versions/{version}`; an alias or `latest` works too, and is resolved. Empty if training_task is set. */
            modelVersion: string;
            /** @description `datasets/{dataset}/paths/{path}`. Of a task over a question bank those of its revision. */
            dataPaths: string[];
            computeResource: string;
            /**
             * Format: int64
             * @description 0: 32.
             */
            batchSize: number;
            /**
             * Format: double
             * @description Below it a prediction would go to a human; in [0, 1).
             */
            confidenceThreshold: number;
            filterResolution: boolean;
            /** @description Output only. */
            snapshots: string[];
            /**
             * @description Only the classifier looks; else every network that the version has. Without regions (S1) no special code is found
             *     that only they tell.
             */
            classificationOnly: boolean;
            /**
             * @description Acknowledges that the version was trained with some of these samples or groups (P7): the report will not be its
             *     official one.
             */
            acknowledgeTrainingOverlap: boolean;
            /**
             * @description Output only: of the snapshots with what the version was trained with. Absent of what was made before this was
             *     looked at.
             */
            trainingOverlap?: components["schemas"]["TrainingOverlap"];
            /**
             * @description In place of data_paths: `questionBanks/{bank}`, whose current revision is taken, or
             *     `questionBanks/{bank}/revisions/{number}` (P7). In a task always with its number.
             */
            questionBank: string;
            /** @description Leaves out what the version was trained with, and what shares a group with that: what is left is judged (P7). */
            excludeTrainingOverlap: boolean;
            /**
             * Format: int64
             * @description Output only: how many samples were left out by that. `training_overlap` is of the others.
             */
            excludedSampleCount: string;
            /**
             * @description In place of model_version: `tasks/{task}` of a training that is COMPLETED or RELEASED, whose weights are judged (P8).
             *     Of a training that has a version already, that version is taken.
             */
            trainingTask: string;
            /** @description Output only: the id of the model that is judged. */
            model: string;
        };
        PreprocessingParams: {
            /**
             * Format: double
             * @description In (0, 1); 0.8 means 80 % train, 20 % validation. Absent: 0.8.
             */
            trainFraction?: number;
            filterResolution: boolean;
            augmentations: components["schemas"]["Augmentation"][];
        };
        /** @description Whom a token speaks for. */
        Principal: {
            /** @description `users/{user}`, or `services/{service}` for a process of the installation. */
            name: string;
            role: components["schemas"]["Role"];
            /** @description Empty for a process of the installation. */
            token: string;
            /** Format: date-time */
            expireTime?: string;
        };
        /** @description Where models work: site, product, process step, equipment. */
        ProductionEnvironment: {
            /** @description `productionEnvironments/{environment}`. */
            name: string;
            site: string;
            product: string;
            processStep: string;
            equipment: string;
            description: string;
        };
        Progress: {
            /**
             * Format: double
             * @description Of the phase, in [0, 1].
             */
            fraction: number;
            /**
             * Format: int64
             * @description Batches done of the present network; 0 outside PHASE_TRAINING.
             */
            iteration: string;
            /** Format: int64 */
            maxIteration: string;
            /** Format: double */
            imagesPerS: number;
            /** Format: double */
            learningRate: number;
            /**
             * @description Until the task's end, as far as it can be told; absent while it cannot.
             * @example 3.5s
             */
            remaining?: string;
            /** @example 3.5s */
            remainingLow?: string;
            /** @example 3.5s */
            remainingHigh?: string;
            /**
             * Format: double
             * @description Of the whole task, in [0, 1]: what the list's bar shows.
             */
            overallFraction: number;
        };
        /** @description Labelled data that versions are tested with and never trained on. Rule P7. */
        QuestionBank: {
            /** @description `questionBanks/{bank}`. */
            name: string;
            displayName: string;
            description: string;
            /** @description `productionEnvironments/{environment}`; set when the bank is made and never changed. */
            productionEnvironment: string;
            /** @description What is tested with now. Its data paths are offered to no training while the bank is not archived. */
            revision?: components["schemas"]["QuestionBankRevision"];
            creator: string;
            /** Format: date-time */
            createTime?: string;
            /** Format: date-time */
            updateTime?: string;
            lastModifier: string;
            /** @description Hidden from lists unless asked for; its data paths may be trained with again. Never deleted: reports name it. */
            archived: boolean;
            /** @description Changes with every change of the bank. */
            etag: string;
            /**
             * @description Versions, at most 100, that were trained with a data path of the revision, `models/{model}/versions/{version}`,
             *     themselves or by the weights that they began with. Not in lists. Samples that reached a training by another path are
             *     found when a prediction is submitted.
             */
            trainedVersions: string[];
            /**
             * @description Whether each version that is released in the environment is tested with the bank at once, in the name of who
             *     released it; what the version was trained with is left out (P8).
             */
            runAfterRelease: boolean;
            /** @description `computeResources/{resource}` of these predictions and those after trainings; empty: that of the training. */
            computeResource: string;
            /**
             * @description Whether each training that is completed in the environment is tested with the bank at once, in the name of who
             *     submitted it; what it was trained with is left out (P8). If it is released later, its report is the version's, and
             *     the version is not tested with the same revision again.
             */
            runAfterTraining: boolean;
        };
        /** @description The data of a bank, frozen. Later ones leave it as it is. */
        QuestionBankRevision: {
            /** @description `questionBanks/{bank}/revisions/{number}`. */
            name: string;
            /**
             * Format: int32
             * @description From 1.
             */
            number: number;
            /** @description `datasets/{dataset}/paths/{path}`. */
            dataPaths: string[];
            /** @description `…/snapshots/{sha256}`, in the order of data_paths: the listings as they were. */
            snapshots: string[];
            /** Format: int64 */
            sampleCount: string;
            creator: string;
            /** Format: date-time */
            createTime?: string;
            /** @description Of all data paths together, in the order of the code. */
            codeCounts: components["schemas"]["CodeCount"][];
        };
        /** @description What waits and what runs, by compute resource; those without jobs and workers are left out. */
        Queue: {
            resources: components["schemas"]["ResourceQueue"][];
        };
        ReadLogResponse: {
            lines: string[];
            cursor: string;
        };
        /**
         * @description * `RELABEL_FORMAT_UNSPECIFIED`: CSV.
         *     * `RELABEL_FORMAT_CSV`
         *     * `RELABEL_FORMAT_JSON_LINES`
         * @enum {string}
         */
        RelabelFormat: "RELABEL_FORMAT_UNSPECIFIED" | "RELABEL_FORMAT_CSV" | "RELABEL_FORMAT_JSON_LINES";
        /**
         * @description "This label is wrong": a person's word on one sample of a data path (P6). It is about the sample, not about the
         *     report it was seen in, and stays when that report is deleted. A sample has at most one OPEN mark; marking it again
         *     changes that.
         */
        RelabelMark: {
            /** @description `relabelMarks/{mark}`. */
            name: string;
            /** @description `datasets/{dataset}/paths/{path}`. */
            dataPath: string;
            /** @description `{code}/{file}` within the path, as it was when marked. */
            file: string;
            /** @description Hex SHA-256 of the image that was looked at; a file that has other bytes by now is not touched. */
            sha256: string;
            wrongCode: string;
            rightCode: string;
            note: string;
            /** @description `reports/{report}/sampleResults/{result}` it was marked in; may be gone. */
            sampleResult: string;
            /** @description Who marked it. */
            creator: string;
            /** Format: date-time */
            createTime?: string;
            state: components["schemas"]["RelabelState"];
            /** Format: date-time */
            applyTime?: string;
            /** @description APPLIED: `{code}/{file}` within the path since then. */
            newFile: string;
            /** @description OPEN: why the last attempt to apply it did not; APPLIED: what to look at, such as a mask that names codes by value. */
            message: string;
        };
        /** @description What became of a relabel. */
        RelabelOutcome: {
            file: string;
            outcome: components["schemas"]["RelabelOutcome_Outcome"];
            /**
             * @description Where the sample lies now: `{code}/{file}`, with the code it had added to its name where another picture had that
             *     name. Empty for REFUSED.
             */
            newFile: string;
            /**
             * @description For REFUSED: NOT_LISTED, OTHER_BYTES, NAME_TAKEN. Otherwise MASK_NAMES_CODES where the sample's mask names codes by
             *     value, which a relabel does not change.
             */
            reason: string;
            message: string;
            messageZh: string;
        };
        /**
         * @description * `OUTCOME_UNSPECIFIED`
         *     * `OUTCOME_RELABELLED`
         *     * `OUTCOME_UNCHANGED`: Lies under that code already.
         *     * `OUTCOME_REFUSED`
         * @enum {string}
         */
        RelabelOutcome_Outcome: "OUTCOME_UNSPECIFIED" | "OUTCOME_RELABELLED" | "OUTCOME_UNCHANGED" | "OUTCOME_REFUSED";
        RelabelSamplesRequest: {
            relabels: components["schemas"]["SampleRelabel"][];
            /**
             * Format: int64
             * @description The path's revision as the caller saw it; ABORTED if it is another by now. 0: whatever it is.
             */
            revision: string;
        };
        RelabelSamplesResponse: {
            /** @description In the order of the relabels. */
            outcomes: components["schemas"]["RelabelOutcome"][];
            dataPath?: components["schemas"]["DataPath"];
        };
        /**
         * @description * `RELABEL_STATE_UNSPECIFIED`
         *     * `RELABEL_STATE_OPEN`: May become APPLIED, or be deleted.
         *     * `RELABEL_STATE_APPLIED`: Is part of a revision of the data path. Final: it can be neither changed nor deleted.
         * @enum {string}
         */
        RelabelState: "RELABEL_STATE_UNSPECIFIED" | "RELABEL_STATE_OPEN" | "RELABEL_STATE_APPLIED";
        ReleaseTaskRequest: {
            etag: string;
        };
        /** @description A process of a server: one of several that serve the same. */
        Replica: {
            /** @description `host:port` where it listens. */
            address: string;
            /** @description Of the software, `0.1.0`. */
            version: string;
            /** @description The newest revision of the tables when it started. */
            schemaRevision: string;
            /** Format: date-time */
            startTime?: string;
            /**
             * Format: date-time
             * @description When it said all this, to about ten seconds; it is silent after a crash, and gone after a minute.
             */
            heardTime?: string;
            /** @description Whether everything that it needs works, as /readyz tells. */
            ready: boolean;
            needs: components["schemas"]["Replica_Need"][];
            disks: components["schemas"]["Disk"][];
            certificates: components["schemas"]["Certificate"][];
        };
        Replica_Need: {
            /** @description `database`, `messaging`, `process`, … */
            name: string;
            /** @description READY, or why not. */
            state: string;
        };
        /** @description What a model got right and wrong over one set of samples. Rules E1 and P3. */
        Report: {
            /** @description `reports/{report}`. */
            name: string;
            kind: components["schemas"]["ReportKind"];
            /** @description `tasks/{task}` that asked for it. */
            task: string;
            /** @description `models/{model}/versions/{version}`; PREDICTION only. Empty while training_task is not released. */
            modelVersion: string;
            weightsSha256: string;
            /** @description In order; the first num_of_classes are the classifier's, the rest special defects. */
            codeList: string[];
            /** Format: int64 */
            numOfClasses: number;
            /** Format: date-time */
            createTime?: string;
            overall?: components["schemas"]["Overall"];
            /** @description In the order of code_list. */
            codes: components["schemas"]["CodeResult"][];
            confusion?: components["schemas"]["ConfusionMatrix"];
            /**
             * Format: int64
             * @description Set aside by the resolution filter or unreadable; in no other number here.
             */
            nonconformingCount: string;
            /** Format: double */
            confidenceThreshold: number;
            /**
             * Format: int64
             * @description Samples whose confidence is below the threshold: the share that would go to a human.
             */
            belowThresholdCount: string;
            /** Format: double */
            imagesPerS: number;
            dataPaths: string[];
            /** @description Absent where no sample's truth is known pixel by pixel. */
            segmentation?: components["schemas"]["Segmentation"];
            /** @description What every term here means. Not in lists of reports. */
            definitions: components["schemas"]["Definition"][];
            /**
             * @description PREDICTION only: how much of its data the version was trained with (P7). Absent where nobody looked; such a report
             *     is never official.
             */
            trainingOverlap?: components["schemas"]["TrainingOverlap"];
            /** @description PREDICTION only: `questionBanks/{bank}/revisions/{number}` that it was made over; empty: plain data paths (P7). */
            questionBank: string;
            /**
             * Format: int64
             * @description PREDICTION only: samples that were left out because the version was trained with them or their groups. They are in
             *     no number here.
             */
            excludedSampleCount: string;
            /**
             * @description VALIDATION only: of which look at this split, during the training, the weights are (E4); absent of reports from
             *     before looks were kept.
             */
            looks?: components["schemas"]["TrainingLooks"];
            /**
             * @description PREDICTION only: `tasks/{task}` of the training whose weights were judged before they were released. With its
             *     release the report is that version's (P8).
             */
            trainingTask: string;
        };
        /**
         * @description * `REPORT_FORMAT_UNSPECIFIED`: JSON.
         *     * `REPORT_FORMAT_JSON`
         *     * `REPORT_FORMAT_CSV`
         *     * `REPORT_FORMAT_HTML`
         * @enum {string}
         */
        ReportFormat: "REPORT_FORMAT_UNSPECIFIED" | "REPORT_FORMAT_JSON" | "REPORT_FORMAT_CSV" | "REPORT_FORMAT_HTML";
        /**
         * @description * `REPORT_KIND_UNSPECIFIED`
         *     * `REPORT_KIND_VALIDATION`: Of the validation split, after training.
         *     * `REPORT_KIND_PREDICTION`: Of a question bank.
         * @enum {string}
         */
        ReportKind: "REPORT_KIND_UNSPECIFIED" | "REPORT_KIND_VALIDATION" | "REPORT_KIND_PREDICTION";
        ResetPasswordRequest: Record<string, never>;
        ResetPasswordResponse: {
            /** @description Shown once, kept only as a hash. */
            oneTimePassword: string;
        };
        ResourceQueue: {
            /** @description `computeResources/{resource}`. */
            computeResource: string;
            /**
             * Format: int64
             * @description Java derives `getWaitingCount` from a list `waiting` and from `waiting_count`, and then numbers both. So the
             *     list has another name here; JSON keeps `waiting`.
             */
            waitingCount: string;
            /** @description Why they wait, each reason that there is (T4). */
            waiting: components["schemas"]["WaitingCount"][];
            /**
             * Format: date-time
             * @description Since when the job that waits longest has waited; absent: none waits.
             */
            oldestWaitTime?: string;
            /** Format: int64 */
            runningCount: string;
            /**
             * Format: int32
             * @description Idle and busy ones.
             */
            workerCount: number;
            /** @description Of these workers together; one that serves several resources counts for each. */
            capacity?: components["schemas"]["Amounts"];
            /** @description What leases of this resource's jobs take. */
            taken?: components["schemas"]["Amounts"];
        };
        RestoreDataPathRequest: {
            /** @description Another id for it; empty: the one that it had. */
            dataPathId: string;
        };
        RevokeTokenRequest: Record<string, never>;
        /**
         * @description People's roles, VIEWER to ADMIN, are ordered: whoever may do more may do all of what comes before. Those of processes
         *     stand apart.
         *
         *     * `ROLE_UNSPECIFIED`: Never granted; an RPC that leaves its role unspecified is not served.
         *     * `ROLE_ANY_AUTHENTICATED`: Anybody whose token is valid, whatever its role; of processes the services.
         *     * `ROLE_VIEWER`: Looks at everything, changes nothing.
         *     * `ROLE_ENGINEER`: Imports data, submits, starts, terminates and deletes own tasks, predicts, marks and corrects wrong labels.
         *     * `ROLE_RELEASER`: Releases models, moves aliases, archives versions, exports packages.
         *     * `ROLE_ADMIN`: Master data, algorithm images, users, tokens, the audit log, draining of workers, other people's tasks.
         *     * `ROLE_SERVICE`: Services of this installation; never a person. They may also do what WORKER and ENGINEER may, and nothing that needs RELEASER or ADMIN.
         *     * `ROLE_ANYONE`: On LogIn alone: whoever calls it has no token yet. Never a caller's role.
         *     * `ROLE_WORKER`: Workers of this installation; never a person. They may call what requires this role, and nothing else.
         * @enum {string}
         */
        Role: "ROLE_UNSPECIFIED" | "ROLE_ANY_AUTHENTICATED" | "ROLE_VIEWER" | "ROLE_ENGINEER" | "ROLE_RELEASER" | "ROLE_ADMIN" | "ROLE_SERVICE" | "ROLE_ANYONE" | "ROLE_WORKER";
        /** @description One image with its defect code, and its mask where there is one. */
        Sample: {
            /** @description `{code}/{file}` within its path. */
            file: string;
            code: string;
            /** @description Hex SHA-256 of the image's bytes; its object is `samples/{sha256}`. */
            sha256: string;
            /** Format: int64 */
            sizeBytes: string;
            /** Format: int32 */
            width: number;
            /** Format: int32 */
            height: number;
            /** @description JPEG, PNG, BMP or TIFF. */
            format: string;
            /** @description Empty where there is no mask. */
            maskSha256: string;
            /** @description Samples of one group never fall on both sides of a split (D3). Empty: a group of its own. */
            group: string;
            /** Format: date-time */
            createTime?: string;
        };
        /** @description A sample as an importer offers it. */
        SampleCandidate: {
            /** @description `{code}/{file}`; the extension says the type. */
            file: string;
            /** @description Hex SHA-256 of the image's bytes. */
            sha256: string;
            /** @description Hex SHA-256 of the mask's bytes; empty where there is none. */
            maskSha256: string;
            group: string;
        };
        /** @description What became of a candidate. Rules D2 and D4. */
        SampleOutcome: {
            file: string;
            outcome: components["schemas"]["SampleOutcome_Outcome"];
            /**
             * @description For REJECTED: EMPTY, NOT_AN_IMAGE, TYPE_MISMATCH, TRUNCATED, TOO_LARGE, DECODE_FAILED, TOO_MANY_PARTS,
             *     SEVERAL_PICTURES, NO_RANGE, UNSUPPORTED_KIND, TOO_MUCH_MEMORY, TOO_SLOW, HASH_MISMATCH, NOT_UPLOADED, BAD_CODE,
             *     BAD_NAME, BAD_MASK, OTHER_BITS.
             *     For the others: why a person should look at it, FEW_BITS or LEFT_OVER; mostly empty (D6).
             */
            reason: string;
            message: string;
            messageZh: string;
            /**
             * @description Files of the dataset with the same pixels under another code: `{code}/{file}` of this path,
             *     `datasets/{dataset}/paths/{path}/{code}/{file}` of another one.
             */
            samePixelsUnderOtherCodes: string[];
            /**
             * @description At most ten samples of other paths, of any dataset, with the same pixels:
             *     `datasets/{dataset}/paths/{path}/{code}/{file}`.
             */
            samePixelsInOtherPaths: string[];
            /**
             * @description At most ten other files of this path with the same pixels under the same code, in the same bytes or in others.
             *     The split takes them for one group (D3).
             */
            samePixelsUnderSameCode: string[];
        };
        /**
         * @description * `OUTCOME_UNSPECIFIED`
         *     * `OUTCOME_ADDED`
         *     * `OUTCOME_UNCHANGED`: Was there already with the same bytes, mask and group.
         *     * `OUTCOME_REPLACED`: The same file name now has other bytes, another mask or another group; earlier snapshots keep the old one.
         *     * `OUTCOME_REJECTED`
         * @enum {string}
         */
        SampleOutcome_Outcome: "OUTCOME_UNSPECIFIED" | "OUTCOME_ADDED" | "OUTCOME_UNCHANGED" | "OUTCOME_REPLACED" | "OUTCOME_REJECTED";
        /**
         * @description * `SAMPLE_PICTURE_UNSPECIFIED`: THUMBNAIL.
         *     * `SAMPLE_PICTURE_THUMBNAIL`: A JPEG of at most 160 pixels a side.
         *     * `SAMPLE_PICTURE_ORIGINAL`: The file as it was imported, saved under its own name.
         *     * `SAMPLE_PICTURE_OVERLAY`: A PNG of at most 1,200 pixels a side: outlines of the true mask in green, of the predicted one in magenta, each region with its code.
         * @enum {string}
         */
        SamplePicture: "SAMPLE_PICTURE_UNSPECIFIED" | "SAMPLE_PICTURE_THUMBNAIL" | "SAMPLE_PICTURE_ORIGINAL" | "SAMPLE_PICTURE_OVERLAY";
        /** @description A sample that shall have another code (P6). */
        SampleRelabel: {
            /** @description `{code}/{file}`. */
            file: string;
            /** @description Hex SHA-256 of the image that was looked at. */
            sha256: string;
            code: string;
        };
        /** @description One sample and what became of it. */
        SampleResult: {
            /** @description `{code}/{file}`. */
            file: string;
            dataPath: string;
            sha256: string;
            trueCode: string;
            verdict: components["schemas"]["Verdict"];
            predictedCode: string;
            /**
             * Format: double
             * @description In [0, 1].
             */
            confidence: number;
            top: components["schemas"]["CodeScore"][];
            decidedBy: components["schemas"]["DecidedBy"];
            /**
             * @description For NONCONFORMING, as a training's NonconformingSample has it: RESOLUTION_TOO_LOW, ASPECT_RATIO,
             *     RESOLUTION_OFF_NOMINAL; EMPTY, NOT_AN_IMAGE, TYPE_MISMATCH, TRUNCATED, TOO_LARGE, DECODE_FAILED,
             *     TOO_MANY_PARTS, SEVERAL_PICTURES, NO_RANGE, UNSUPPORTED_KIND, TOO_MUCH_MEMORY, TOO_SLOW, BAD_MASK.
             */
            reason: string;
            message: string;
            /** @description Hex SHA-256 of the sample's mask as imported; empty where it has none. */
            maskSha256: string;
            /**
             * @description Hex SHA-256 of what the segmentation network found: an 8-bit indexed PNG of the network's size, where 0 is
             *     background and value i is the i-th of the report's code_list. Empty without segmentation.
             */
            predictedMaskSha256: string;
            /**
             * @description Of any defect (the entry without a code, always there), then of the codes that occur in either mask; empty where
             *     the truth is not known pixel by pixel.
             */
            pixels: components["schemas"]["PixelCounts"][];
            /** @description Output only. `reports/{report}/sampleResults/{result}`. */
            name: string;
            /**
             * @description Input only. 256 bits: whether each of 16 x 16 patches of the picture's grey is brighter than the one to its left;
             *     pictures whose hashes differ in few bits look alike. Empty: not looked at.
             */
            perceptualHash: string;
        };
        SaveImportReportRequest: {
            /** @description The importer's choice. */
            importReportId: string;
            /** @description Name, creator and time are the registry's. */
            importReport?: components["schemas"]["ImportReport"];
            /**
             * Format: int32
             * @description The place of the first of `lines` among all.
             */
            firstLine: number;
            /** @description At most 1000 a call. */
            lines: components["schemas"]["ImportReportLine"][];
        };
        /**
         * @description How the predicted masks agree with the true ones. Of samples whose truth is not known pixel by pixel, nothing is
         *     counted.
         */
        Segmentation: {
            /**
             * Format: int64
             * @description Samples whose truth is known pixel by pixel.
             */
            sampleCount: string;
            /** @description A defect of any code against the background. */
            defect?: components["schemas"]["IntersectionOverUnion"];
            /**
             * Format: double
             * @description Mean over the codes that occur in any mask, true or predicted; absent where none does.
             */
            meanIou?: number;
        };
        /** @description A process that answers calls. */
        Server: {
            /** @description `servers/{server}`: registry, scheduler or evaluator. */
            name: string;
            /** @description Of the software, `0.1.0`. */
            version: string;
            /** @description The newest revision of its tables in the database; the server brought them there when it started. */
            schemaRevision: string;
            /** Format: date-time */
            startTime?: string;
            /**
             * @description All replicas that were heard of within the last minute, by address; the one that answers is among them. Of another
             *     version than it, or of other tables: an upgrade is under way, or was left half done.
             */
            replicas: components["schemas"]["Replica"][];
            /** @description What waits in the server's tables, for all replicas; absent while the database does not answer. */
            backlog?: components["schemas"]["Backlog"];
            /** @description Of events that the server publishes; without those that NATS said nothing of within a minute. */
            streams: components["schemas"]["Stream"][];
            /**
             * @description What the newest `loupe backup` left, of the server that is told where (LOUPE_BACKUP_RECORD); without create_time:
             *     none was made yet. Absent: nothing is told of backups.
             */
            lastBackup?: components["schemas"]["Backup"];
            /** @description By which the server follows the events of others; without those that NATS said nothing of within a minute. */
            consumers: components["schemas"]["Consumer"][];
        };
        SetAliasRequest: {
            alias: string;
            /** @description As of ArchiveModelVersionRequest. */
            etag: string;
        };
        SetDataPathOwnerRequest: {
            /** @description `users/{user}`, who must be an engineer at least; empty: shared with every engineer. */
            owner: string;
        };
        SetStorageQuotaRequest: {
            /** @description As of StorageQuota. */
            subject: string;
            /**
             * Format: int64
             * @description Absent: its own limit is removed.
             */
            limitBytes?: string;
        };
        /** @description An Ed25519 public key. */
        SigningKey: {
            /** @description Hex SHA-256 of the key in DER; config.yaml of a package names it. */
            fingerprint: string;
            /** @description PEM, as `loupe verify --key` and csot_open_signed read it. */
            publicKey: string;
        };
        /** @description What signed packages of this installation. Empty where the registry is told of none (LOUPE_SIGNING_PUBLIC_KEYS). */
        SigningKeys: {
            /** @description The one that signs now first, then older ones: what they signed is still valid. */
            keys: components["schemas"]["SigningKey"][];
        };
        /** @description A data path's listing at one moment, pinned by its content. Rule W12. */
        Snapshot: {
            /** @description `datasets/{dataset}/paths/{path}/snapshots/{sha256}`. */
            name: string;
            /** @description Hex SHA-256 of the manifest; its object is `manifests/{sha256}.jsonl`. */
            sha256: string;
            /** Format: int64 */
            sampleCount: string;
            codeCounts: components["schemas"]["CodeCount"][];
            /** Format: date-time */
            createTime?: string;
        };
        SnapshotDataPathRequest: Record<string, never>;
        Stage: {
            name: components["schemas"]["StageName"];
            state: components["schemas"]["StageState"];
            /** @example 3.5s */
            duration?: string;
            /**
             * Format: int64
             * @description Samples that went through.
             */
            sampleCount: string;
            /**
             * Format: int64
             * @description RESOLUTION_FILTER: set aside; ListNonconformingSamples has them.
             */
            nonconformingCount: string;
            /**
             * Format: int64
             * @description SPLIT.
             */
            trainCount: string;
            /**
             * Format: int64
             * @description SPLIT.
             */
            validationCount: string;
            /**
             * @description AUGMENTATION: hex SHA-256 of a picture of some samples before and after; LinkContactSheet has it. Empty where
             *     nothing is augmented, and until it is stored.
             */
            contactSheetSha256: string;
        };
        /**
         * @description * `STAGE_NAME_UNSPECIFIED`
         *     * `STAGE_NAME_RESOLUTION_FILTER`
         *     * `STAGE_NAME_SPLIT`
         *     * `STAGE_NAME_AUGMENTATION`
         * @enum {string}
         */
        StageName: "STAGE_NAME_UNSPECIFIED" | "STAGE_NAME_RESOLUTION_FILTER" | "STAGE_NAME_SPLIT" | "STAGE_NAME_AUGMENTATION";
        /**
         * @description * `STAGE_STATE_UNSPECIFIED`
         *     * `STAGE_STATE_PENDING`
         *     * `STAGE_STATE_RUNNING`
         *     * `STAGE_STATE_DONE`
         *     * `STAGE_STATE_SKIPPED`: Not asked for, so nothing was done.
         *     * `STAGE_STATE_FAILED`
         * @enum {string}
         */
        StageState: "STAGE_STATE_UNSPECIFIED" | "STAGE_STATE_PENDING" | "STAGE_STATE_RUNNING" | "STAGE_STATE_DONE" | "STAGE_STATE_SKIPPED" | "STAGE_STATE_FAILED";
        StartTaskRequest: {
            etag: string;
        };
        /** @description A row and the storage that do not agree. */
        StorageFinding: {
            kind: components["schemas"]["StorageFinding_Kind"];
            /** @description The key of an object, or the subject of events. */
            subject: string;
            /** @description The resource that names the object; empty if none does. */
            resource: string;
            /** @description What to do about it, in English and in Chinese. */
            cure: string;
            cureZh: string;
        };
        /**
         * @description * `KIND_UNSPECIFIED`
         *     * `KIND_MISSING`: A row names an object that is not there.
         *     * `KIND_UNREADABLE`: The object is listed, and its bytes cannot be read.
         *     * `KIND_CORRUPT`: The object has another size or other bytes than its row says.
         *     * `KIND_ORPHAN`: No row names the object; garbage collection deletes it.
         *     * `KIND_EVENT_MISSING`: Rows have more events than stream and outbox.
         *     * `KIND_NOT_PUBLISHED`: Events wait in the outbox for more than a minute.
         * @enum {string}
         */
        StorageFinding_Kind: "KIND_UNSPECIFIED" | "KIND_MISSING" | "KIND_UNREADABLE" | "KIND_CORRUPT" | "KIND_ORPHAN" | "KIND_EVENT_MISSING" | "KIND_NOT_PUBLISHED";
        /** @description How many bytes of samples a dataset, or the data paths of a user, may list. Rule D10. */
        StorageQuota: {
            /** @description `datasets/{dataset}` or `users/{user}`; `datasets/-` and `users/-` stand for each that has no quota of its own. */
            subject: string;
            /**
             * Format: int64
             * @description Absent: there is no limit.
             */
            limitBytes?: string;
            /**
             * Format: int64
             * @description Images and masks of all samples, those in the bin among them; what is listed twice counts twice. 0 for
             *     `datasets/-` and `users/-`.
             */
            usedBytes: string;
            /** @description The limit is that of `datasets/-` or `users/-`. */
            inherited: boolean;
        };
        Stream: {
            /** @description `TASKS`. */
            name: string;
            /** Format: int64 */
            messageCount: string;
            /** Format: int64 */
            sizeBytes: string;
            /**
             * Format: int64
             * @description When it is full the oldest events go; 0: no limit.
             */
            maxBytes: string;
        };
        /** @description A sample whose label may be wrong, and why. One that is suspect for two reasons is there twice. */
        SuspectedLabel: {
            sample?: components["schemas"]["SampleResult"];
            suspicion: components["schemas"]["Suspicion"];
            /** @description What its label may have to be: the predicted code, or that of the near-duplicate. */
            suggestedCode: string;
            /**
             * Format: double
             * @description In [0, 1]; the order of the list. The confidence, or the share of equal bits of the two pictures' hashes.
             */
            score: number;
            /**
             * Format: double
             * @description CONFIDENTLY_WRONG: the mean confidence in suggested_code of the samples that are labelled with it; this one's is
             *     not below.
             */
            usualConfidence: number;
            /** @description NEAR_DUPLICATE: the nearest sample under another code. */
            twin?: components["schemas"]["SampleResult"];
            /**
             * Format: int64
             * @description NEAR_DUPLICATE: in how many of 256 bits the hashes of the two pictures differ.
             */
            distance: number;
            message: string;
            messageZh: string;
        };
        /**
         * @description * `SUSPICION_UNSPECIFIED`
         *     * `SUSPICION_CONFIDENTLY_WRONG`: Predicted as another code, with no less confidence than the samples of that code usually are.
         *     * `SUSPICION_NEAR_DUPLICATE`: Almost the same picture as a sample under another code.
         * @enum {string}
         */
        Suspicion: "SUSPICION_UNSPECIFIED" | "SUSPICION_CONFIDENTLY_WRONG" | "SUSPICION_NEAR_DUPLICATE";
        /**
         * @description One wizard submission (training), one run over labelled data or a question bank (prediction), or the package of a
         *     version (export). Rules T, P1 and X.
         */
        Task: {
            /** @description `tasks/{task}`. */
            name: string;
            state: components["schemas"]["TaskState"];
            /** @description True between a user's wish to terminate and the worker's confirmation (T2). */
            terminating: boolean;
            training?: components["schemas"]["TrainingSpec"];
            prediction?: components["schemas"]["PredictionSpec"];
            export?: components["schemas"]["ExportSpec"];
            creator: string;
            /** Format: date-time */
            createTime?: string;
            /**
             * Format: date-time
             * @description Of the present attempt.
             */
            startTime?: string;
            /** Format: date-time */
            endTime?: string;
            /**
             * Format: int64
             * @description Grows with every change; WatchTask's cursor.
             */
            revision: string;
            /**
             * Format: int32
             * @description From 1; grows with every StartTask.
             */
            attempt: number;
            phase: components["schemas"]["Phase"];
            progress?: components["schemas"]["Progress"];
            /** @description In order: resolution filter, split, augmentation (M1). Empty before the attempt starts. */
            stages: components["schemas"]["Stage"][];
            /** @description While WAITING, and while a running task's next job waits for a worker (T4, T5). */
            wait?: components["schemas"]["WaitReason"];
            /** @description Only if FAILED. */
            failure?: components["schemas"]["Failure"];
            /** @description `reports/{report}`; set when COMPLETED. */
            report: string;
            /** @description Hex SHA-256 of the weights; set once training is done. */
            weightsSha256: string;
            /** @description `models/{model}/versions/{version}`; set once RELEASED and numbered. */
            modelVersion: string;
            /**
             * Format: int32
             * @description How often the present attempt was taken up again after an infrastructure fault (T5).
             */
            recoveries: number;
            /**
             * Format: int32
             * @description 0 to 9, higher first; grows with waiting (T8).
             */
            priority: number;
            /**
             * @description Changes with every state and with the wish to terminate, not with progress; pass it back to act only on what was
             *     seen.
             */
            etag: string;
            /** @description Of which look at the validation split the weights are (E4); set once training is done. Not in lists. */
            looks?: components["schemas"]["TrainingLooks"];
            /** @description `users/…`: who asked for the termination, while `terminating` and when TERMINATED (M6). */
            terminator: string;
        };
        /**
         * @description * `TASK_KIND_UNSPECIFIED`
         *     * `TASK_KIND_TRAINING`
         *     * `TASK_KIND_PREDICTION`
         *     * `TASK_KIND_EXPORT`
         * @enum {string}
         */
        TaskKind: "TASK_KIND_UNSPECIFIED" | "TASK_KIND_TRAINING" | "TASK_KIND_PREDICTION" | "TASK_KIND_EXPORT";
        /**
         * @description * `TASK_STATE_UNSPECIFIED`
         *     * `TASK_STATE_WAITING`: Waits for a worker. Next: TRAINING, PREDICTING, PACKAGING; may be deleted.
         *     * `TASK_STATE_TRAINING`: A worker has it. Next: COMPLETED, FAILED, TERMINATED.
         *     * `TASK_STATE_TERMINATED`: A user stopped it. Next: WAITING by StartTask; may be deleted.
         *     * `TASK_STATE_COMPLETED`: Result and report, or the package, are stored. Next: RELEASED by ReleaseTask (training only); may be deleted.
         *     * `TASK_STATE_FAILED`: The task's own fault, or infrastructure beyond the limit. Next: WAITING by StartTask; may be deleted.
         *     * `TASK_STATE_RELEASED`: A version of the library. Final; cannot be deleted.
         *     * `TASK_STATE_PREDICTING`: A prediction task's TRAINING. Next: COMPLETED, FAILED, TERMINATED.
         *     * `TASK_STATE_PACKAGING`: An export task's TRAINING. Next: COMPLETED, FAILED, TERMINATED.
         * @enum {string}
         */
        TaskState: "TASK_STATE_UNSPECIFIED" | "TASK_STATE_WAITING" | "TASK_STATE_TRAINING" | "TASK_STATE_TERMINATED" | "TASK_STATE_COMPLETED" | "TASK_STATE_FAILED" | "TASK_STATE_RELEASED" | "TASK_STATE_PREDICTING" | "TASK_STATE_PACKAGING";
        /**
         * @description One change of a task's state, or a request to terminate it; together they are its history. Each change is an event on
         *     NATS too.
         */
        TaskTransition: {
            task: string;
            /** Format: int64 */
            revision: string;
            from: components["schemas"]["TaskState"];
            to: components["schemas"]["TaskState"];
            /** Format: date-time */
            time?: string;
            /** @description Who caused it: `users/…`, or `workers/…`, or `services/…`. Of TERMINATED who asked for it. */
            cause: string;
            /** Format: int32 */
            attempt: number;
            /** @description A user asked for the task's end; `from` and `to` are the state in which it stays until its process has ended (T2). */
            terminationRequested: boolean;
        };
        /**
         * @description * `TASK_TYPE_UNSPECIFIED`
         *     * `TASK_TYPE_CLASSIFICATION`
         *     * `TASK_TYPE_SEGMENTATION_CLASSIFICATION`
         * @enum {string}
         */
        TaskType: "TASK_TYPE_UNSPECIFIED" | "TASK_TYPE_CLASSIFICATION" | "TASK_TYPE_SEGMENTATION_CLASSIFICATION";
        TerminateTaskRequest: {
            etag: string;
        };
        ThresholdCurve: {
            /** @description Empty overall. */
            code: string;
            /** @description One a threshold. */
            points: components["schemas"]["ThresholdPoint"][];
        };
        /** @description What a confidence threshold would leave to the model, and what to a human (E2). */
        ThresholdCurves: {
            /** @description Ascending, at most 101. */
            thresholds: number[];
            /** @description Over all samples; its precision is the accuracy of what the model keeps. */
            overall?: components["schemas"]["ThresholdCurve"];
            /** @description In the order of the report's code_list. */
            codes: components["schemas"]["ThresholdCurve"][];
        };
        /**
         * @description Figures if predictions with a confidence below the threshold went to a human; each absent where it is 0 of 0, and
         *     all for a code that no sample truly has.
         */
        ThresholdPoint: {
            /**
             * Format: double
             * @description Of those predicted as the code that the model keeps, how many truly are.
             */
            precision?: number;
            /**
             * Format: double
             * @description Of the samples that truly have the code, how many the model keeps and predicts so.
             */
            recall?: number;
            /**
             * Format: double
             * @description Of the samples that truly have the code, how many go to a human.
             */
            toHuman?: number;
        };
        /** @description A machine's or a person's key to the API. Its secret is shown once and kept only as a hash. */
        Token: {
            /** @description `users/{user}/tokens/{token}`. */
            name: string;
            description: string;
            /** @description At most the user's own role. */
            role: components["schemas"]["Role"];
            /** Format: date-time */
            createTime?: string;
            /** Format: date-time */
            expireTime?: string;
            revoked: boolean;
            /** @description Whole and only in the answer to CreateToken. */
            secret: string;
            /** @description Made by a log-in to the console; ended by logging out. */
            session: boolean;
        };
        /** @description The looks at the validation split during a training, and which one gave the weights (E4). */
        TrainingLooks: {
            classification?: components["schemas"]["NetworkLooks"];
            /** @description Absent where only the classifier was trained. */
            segmentation?: components["schemas"]["NetworkLooks"];
        };
        /**
         * @description How much of some data a version was trained with (P7). A sample is compared by its picture's pixels: the same picture
         *     in another file, or losslessly saved in another format, is the same sample. A model's figures over data that it was
         *     trained with say little about new data.
         */
        TrainingOverlap: {
            /**
             * Format: int64
             * @description Of the data.
             */
            sampleCount: string;
            /**
             * Format: int64
             * @description Of them, those that the version was trained or validated with.
             */
            trainedSampleCount: string;
            /**
             * Format: int64
             * @description Groups (D3) of which the data and the training both have samples.
             */
            trainedGroupCount: string;
            /**
             * Format: int64
             * @description Samples of the data that were trained or validated with, or whose group was. 0: the data is new to the version.
             */
            affectedSampleCount: string;
        };
        /** @description The wizard's four steps. What CreateTask resolves is filled in by the server and pinned for ever (W12). */
        TrainingSpec: {
            /** @description W1. */
            modelName: string;
            /** @description `algorithmImages/{image}/versions/{version}`. */
            algorithmImageVersion: string;
            /** @description General images only; a business image brings its own. */
            productionEnvironment: string;
            /** @description `datasets/{dataset}/paths/{path}`. */
            dataPaths: string[];
            /** @description `computeResources/{resource}`. */
            computeResource: string;
            /**
             * @description JSON text as the user wrote it (W3). Empty: of a retraining its parent's; of a business image the image's; else the
             *     image's default with the codes of the data, of which those that the default has as special stay special, and a
             *     warning (CODES_OF_THE_DATA) says what was taken where that is not the default.
             */
            modelParamsJson: string;
            /** @description JSON text as the user wrote it (W8); empty: of a retraining its parent's, else the image's default. */
            trainingParamsJson: string;
            /** @description W10. */
            preprocessing?: components["schemas"]["PreprocessingParams"];
            /** @description W11. */
            trainSegmentation: boolean;
            /**
             * Format: int64
             * @description 0: chosen by the server.
             */
            seed: string;
            /** @description `models/{model}/versions/{version}` that is retrained; empty for a new model (W6, W13). */
            parentVersion: string;
            /** @description Start from the parent's weights. */
            warmStart: boolean;
            /** @description Acknowledges that training paths of the image are not among data_paths (W4). */
            acknowledgeMissingTrainingPaths: boolean;
            /** @description Output only: `…/snapshots/{sha256}` per data path. */
            snapshots: string[];
            /** @description Output only: the parameters as parsed and completed. */
            modelParams?: {
                [key: string]: unknown;
            };
            /** @description Output only. */
            trainingParams?: {
                [key: string]: unknown;
            };
            /**
             * Format: int64
             * @description Output only: major of the version that a release will make.
             */
            targetMajor: number;
        };
        /** @description What a training resolves to before it is submitted (W14). Nothing is pinned yet: the submission resolves anew. */
        TrainingSummary: {
            /**
             * @description With its output-only fields, except `snapshots`. A seed that was left open is drawn here; a submission has it only if
             *     it sends it.
             */
            training?: components["schemas"]["TrainingSpec"];
            /** @description Of the image version. */
            input?: components["schemas"]["InputSpecification"];
            /** @description In the order of code_list. */
            codes: components["schemas"]["CodeSamples"][];
            /**
             * Format: int64
             * @description Samples of codes that are not in code_list, which are left out (W5).
             */
            unlistedSampleCount: string;
            /** @description In the order of data_paths. */
            dataPaths: components["schemas"]["PathSamples"][];
            /** @description In the order in which they are trained. */
            networks: components["schemas"]["NetworkPlan"][];
            /** @description Hex SHA-256 of the parent's weights, from which the networks start; empty: from scratch. */
            warmStartWeightsSha256: string;
            /** @description Of the compute resource, while the task runs: of each of its `nodes`. */
            takes?: components["schemas"]["Amounts"];
            /**
             * @description Of all networks, with their validations; without waiting, preprocessing and evaluation. Absent while one of the
             *     networks was not measured with this resource. An estimate from another input where a network has `scaled_from`.
             * @example 3.5s
             */
            estimatedDuration?: string;
            /** @description For the training, then for its evaluation. */
            workers: components["schemas"]["WorkersThere"][];
            /**
             * Format: int64
             * @description Jobs of the compute resource that wait already.
             */
            waitingCount: string;
            /**
             * Format: int64
             * @description Hosts that train together.
             */
            nodes: number;
        };
        UndrainWorkerRequest: Record<string, never>;
        /** @description Somebody who may hold tokens. Rules A1 and A2. */
        User: {
            /** @description `users/{user}`. */
            name: string;
            role: components["schemas"]["Role"];
            displayName: string;
            disabled: boolean;
            /** Format: date-time */
            createTime?: string;
            /** @description Output only. */
            passwordState: components["schemas"]["PasswordState"];
            /** @description Changes with every change of the user. */
            etag: string;
        };
        ValidateTaskRequest: {
            task?: components["schemas"]["Task"];
            /**
             * Format: int32
             * @description 1 name, image, model parameters, parent (W1 to W3, W13); 2 data paths (W4 to W6); 3 resource and training
             *     parameters (W7 to W9); 4 preprocessing and segmentation (W10, W11); 0: all.
             */
            step: number;
        };
        ValidateTaskResponse: {
            findings: components["schemas"]["ValidateTaskResponse_Finding"][];
            /** @description Of all steps (0) of a training without a fault: what will be trained with, and how long it may take (W14). */
            summary?: components["schemas"]["TrainingSummary"];
        };
        /** @description A fault, which refuses the submission, or a warning, which does not unless it must be acknowledged. */
        ValidateTaskResponse_Finding: {
            /** @description Path of the field, such as `model_params.code_list[5]`. */
            field: string;
            /** @description Stable, UPPER_SNAKE. */
            reason: string;
            message: string;
            messageZh: string;
            warning: boolean;
            /**
             * @description Of a warning that refuses the submission until this field is true (W4, P7); empty otherwise. CreateTask tells it
             *     as a fault.
             */
            acknowledgeWith: string;
            /**
             * Format: int32
             * @description The step of the wizard that it belongs to.
             */
            step: number;
        };
        /** @description How good a network is on the validation split at one moment of its training. */
        ValidationPoint: {
            /** Format: int64 */
            iteration: string;
            /**
             * Format: double
             * @description In [0, 1]. Of segmentation: IoU of any defect against the background, pixels counted over all samples.
             */
            accuracy: number;
        };
        /**
         * @description * `VERDICT_UNSPECIFIED`
         *     * `VERDICT_CORRECT`
         *     * `VERDICT_MISJUDGED`
         *     * `VERDICT_NONCONFORMING`
         * @enum {string}
         */
        Verdict: "VERDICT_UNSPECIFIED" | "VERDICT_CORRECT" | "VERDICT_MISJUDGED" | "VERDICT_NONCONFORMING";
        /** @description T4. */
        WaitReason: {
            /** @description DISK_ALMOST_FULL, NO_WORKER_WITH_RESOURCE, WORKERS_DRAINED, WORKERS_TOO_SMALL, ALL_WORKERS_BUSY, RECOVERING. */
            reason: string;
            message: string;
            messageZh: string;
            /**
             * Format: int64
             * @description 1 is next.
             */
            queuePosition: string;
            /** Format: date-time */
            since?: string;
        };
        WaitingCount: {
            /** @description As of WaitReason. */
            reason: string;
            /** Format: int64 */
            count: string;
            /** Format: date-time */
            oldestWaitTime?: string;
        };
        WatchLossResponse: {
            /**
             * Format: int64
             * @description Of the losses: first_iteration, first_iteration + 1, ….
             */
            firstIteration: string;
            losses: number[];
            /** @description Where to go on after this message. */
            cursor: string;
            /** Format: int32 */
            attempt: number;
            /**
             * Format: date-time
             * @description When the worker finished the last of these iterations.
             */
            stepTime?: string;
            validation: components["schemas"]["ValidationPoint"][];
        };
        WatchTaskResponse: {
            task?: components["schemas"]["Task"];
            cursor: string;
        };
        /**
         * @description A worker that asks for jobs, as it announced itself. One that was not heard of for a day is forgotten, unless it is
         *     drained.
         */
        Worker: {
            /** @description `workers/{worker}`. */
            name: string;
            presence: components["schemas"]["WorkerPresence"];
            /** @description The jobs it takes. */
            kinds: components["schemas"]["JobKind"][];
            /** @description `computeResources/{resource}` that it does tasks of. */
            computeResources: string[];
            capacity?: components["schemas"]["Amounts"];
            /** @description What its leases leave of it. */
            free?: components["schemas"]["Amounts"];
            leases: components["schemas"]["WorkerLease"][];
            /**
             * Format: date-time
             * @description Of its process.
             */
            startTime?: string;
            /**
             * Format: date-time
             * @description When it last asked for a job or reported on one, to about ten seconds.
             */
            heardTime?: string;
            /** @description Of the software, `0.1.0`; empty: it did not say. */
            version: string;
            /** @description With its build, `2.13.0+cu128`; empty: there is none. */
            torchVersion: string;
            /** @description What it computes with: its GPUs' names, or its processor's. */
            device: string;
            /**
             * Format: date-time
             * @description Since when an administrator has it drained: it gets no job, and gives back the one that it holds from its last
             *     checkpoint. Absent: it is not drained.
             */
            drainTime?: string;
            /** @description `users/{user}`, who asked for that; empty: it is not drained. */
            drainer: string;
        };
        /** @description What a worker holds. */
        WorkerLease: {
            /** @description `jobs/{job}`. */
            job: string;
            /** @description `tasks/{task}`. */
            task: string;
            /** Format: int32 */
            attempt: number;
            kind: components["schemas"]["JobKind"];
            /** @description Of the worker's capacity. */
            takes?: components["schemas"]["Amounts"];
            /**
             * Format: date-time
             * @description Of the task's attempt.
             */
            startTime?: string;
            /** Format: date-time */
            expireTime?: string;
        };
        /**
         * @description * `WORKER_PRESENCE_UNSPECIFIED`
         *     * `WORKER_PRESENCE_IDLE`: Asks for jobs and holds none.
         *     * `WORKER_PRESENCE_BUSY`: Holds leases.
         *     * `WORKER_PRESENCE_GONE`: Was not heard of for longer than an idle worker is silent, and holds nothing.
         * @enum {string}
         */
        WorkerPresence: "WORKER_PRESENCE_UNSPECIFIED" | "WORKER_PRESENCE_IDLE" | "WORKER_PRESENCE_BUSY" | "WORKER_PRESENCE_GONE";
        /** @description Who could do a kind of job now. */
        WorkersThere: {
            kind: components["schemas"]["JobKind"];
            /**
             * Format: int32
             * @description Present workers with the compute resource that take such jobs.
             */
            workerCount: number;
            /**
             * Format: int32
             * @description Of these, those with enough room now.
             */
            freeCount: number;
            /** @description NO_WORKER_WITH_RESOURCE, WORKERS_DRAINED, WORKERS_TOO_SMALL or ALL_WORKERS_BUSY; empty: one is free. */
            reason: string;
            message: string;
            messageZh: string;
        };
        /** @description What went wrong, as RFC 9457 tells it. */
        Problem: {
            /** Format: uri-reference */
            type: string;
            title: string;
            status: number;
            /** @description A sentence: the thing, the fact, the remedy. */
            detail: string;
            /** @enum {string} */
            code: "ABORTED" | "ALREADY_EXISTS" | "CANCELLED" | "DATA_LOSS" | "DEADLINE_EXCEEDED" | "FAILED_PRECONDITION" | "INTERNAL" | "INVALID_ARGUMENT" | "NOT_FOUND" | "OUT_OF_RANGE" | "PERMISSION_DENIED" | "RESOURCE_EXHAUSTED" | "UNAUTHENTICATED" | "UNAVAILABLE" | "UNIMPLEMENTED" | "UNKNOWN";
            /** @description Stable, UPPER_SNAKE. */
            reason: string;
            violations: components["schemas"]["Violation"][];
            metadata: {
                [key: string]: string;
            };
            /** @description W3C trace id; operators find the request by it. */
            traceId: string;
        };
        /** @description One fault of a request. */
        Violation: {
            /** @description Path of the field; empty: the whole request. */
            field: string;
            /** @description Stable, UPPER_SNAKE. */
            reason: string;
            message: string;
            messageZh: string;
            /** @enum {string} */
            severity: "error" | "warning";
        };
    };
    responses: {
        /** @description The request is wrong, or not possible in the present state. */
        Problem400: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description No token, or not a valid one. */
        Problem401: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The token's role does not allow this. */
        Problem403: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description What the path names does not exist. */
        Problem404: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body did not arrive in time. */
        Problem408: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The name is taken, or somebody else changed the resource meanwhile. */
        Problem409: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description `If-Match` names a state of the resource that is past. */
        Problem412: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is longer than 1 MiB. */
        Problem413: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Path and query are longer than 8 KiB. */
        Problem414: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is not JSON. */
        Problem415: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description A limit is reached. */
        Problem429: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The headers are longer than 32 KiB. */
        Problem431: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description A bug; the problem names the incident. */
        Problem500: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The service does not have this operation. */
        Problem501: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description A service is away; the same request may succeed later. */
        Problem503: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description A service did not answer in time. */
        Problem504: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Any other failure. */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listAlgorithmImages: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                kind?: components["schemas"]["ImageKind"];
                taskType?: components["schemas"]["TaskType"];
                productionEnvironment?: string;
                /** @description Conditions on the production environment: images whose environment has exactly these words (W2). Empty: any. */
                site?: string;
                product?: string;
                processStep?: string;
                equipment?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListAlgorithmImagesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createAlgorithmImage: {
        parameters: {
            query?: {
                algorithmImageId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AlgorithmImage"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlgorithmImage"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getAlgorithmImage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                algorithmImage: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlgorithmImage"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listAlgorithmImageVersions: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                algorithmImage: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListAlgorithmImageVersionsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createAlgorithmImageVersion: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                algorithmImage: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AlgorithmImageVersion"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlgorithmImageVersion"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getAlgorithmImageVersion: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                algorithmImage: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlgorithmImageVersion"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listAuditEntries: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                principal?: string;
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListAuditEntriesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listBankRuns: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description `questionBanks/{bank}`, whatever the revision; empty: all banks. */
                questionBank?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListBankRunsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listComputeResources: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListComputeResourcesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createComputeResource: {
        parameters: {
            query?: {
                computeResourceId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ComputeResource"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComputeResource"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getComputeResource: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                computeResource: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComputeResource"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listDatasets: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListDatasetsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createDataset: {
        parameters: {
            query?: {
                datasetId?: string;
                /** @description Answers an existing dataset of that name instead of ALREADY_EXISTS. */
                allowExisting?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Dataset"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getDataset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listDeletedDataPaths: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                dataset: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListDeletedDataPathsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    purgeDataPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                deletedPath: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    restoreDataPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                deletedPath: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RestoreDataPathRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataPath"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listDataPaths: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Only paths that may be trained with: those that no question bank is tested with (P7). */
                trainable?: boolean;
            };
            header?: never;
            path: {
                dataset: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListDataPathsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createDataPath: {
        parameters: {
            query?: {
                dataPathId?: string;
                /**
                 * @description Answers an existing path of that name instead of ALREADY_EXISTS; `data_path.mask_codes` may extend what it
                 *     declares, and `data_path.bits`, if any, must be its own or come before the first picture of 16 bits.
                 */
                allowExisting?: boolean;
            };
            header?: never;
            path: {
                dataset: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DataPath"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataPath"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getDataPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataPath"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    deleteDataPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeletedDataPath"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listImportReports: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListImportReportsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    saveImportReport: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SaveImportReportRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportReport"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getImportReport: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
                importReport: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportReport"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listImportReportLines: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Only lines of this kind, of this reason, or whose file contains the text. */
                kind?: components["schemas"]["ImportReportLine_Kind"];
                reason?: string;
                file?: string;
            };
            header?: never;
            path: {
                dataset: string;
                path: string;
                importReport: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListImportReportLinesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listSamples: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                code?: string;
            };
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSamplesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    redirectToSample: {
        parameters: {
            query?: {
                mask?: boolean;
                /** @description A JPEG of at most 160 pixels a side, made once. Not with `mask`. */
                thumbnail?: boolean;
            };
            header?: never;
            path: {
                dataset: string;
                path: string;
                sample: string;
                file: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes, at a link that is good for a few minutes. */
            302: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    addSamples: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AddSamplesRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AddSamplesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    linkSample: {
        parameters: {
            query?: {
                file?: string;
                mask?: boolean;
                /** @description A JPEG of at most 160 pixels a side, made once. Not with `mask`. */
                thumbnail?: boolean;
            };
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkSampleResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    planSampleUploads: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PlanSampleUploadsRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanSampleUploadsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    relabelSamples: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RelabelSamplesRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RelabelSamplesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    setDataPathOwner: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SetDataPathOwnerRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataPath"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    snapshotDataPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SnapshotDataPathRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Snapshot"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    countParts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CountPartsRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CountPartsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getDraft: {
        parameters: {
            query?: never;
            header?: {
                /** @description An `ETag` of before; 304 if it is the present one. */
                "If-None-Match"?: string;
            };
            path: {
                draft: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Draft"];
                };
            };
            /** @description What `If-None-Match` names is still the present state. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    deleteDraft: {
        parameters: {
            query?: {
                /** @description Of the draft as it was seen. Empty: whatever it is. */
                etag?: string;
            };
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                draft: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    updateDraft: {
        parameters: {
            query?: {
                /**
                 * @description Of the draft as it was seen, empty where nothing was kept; ABORTED if it is another one by now, for example because
                 *     it is open in a second window.
                 */
                etag?: string;
            };
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                draft: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Draft"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Draft"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listModels: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Keeps models whose name contains this, whatever the case. */
                nameContains?: string;
                productionEnvironment?: string;
                taskType?: components["schemas"]["TaskType"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListModelsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getModel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listModelVersions: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                showArchived?: boolean;
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListModelVersionsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getModelVersion: {
        parameters: {
            query?: never;
            header?: {
                /** @description An `ETag` of before; 304 if it is the present one. */
                "If-None-Match"?: string;
            };
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            /** @description What `If-None-Match` names is still the present state. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    archiveModelVersion: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ArchiveModelVersionRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    draftRetraining: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DraftRetrainingResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    exportModelVersion: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ExportModelVersionRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    linkPackage: {
        parameters: {
            query?: {
                /** @description Unspecified: CSOT_ARTIFACT. */
                format?: components["schemas"]["PackageFormat"];
            };
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkPackageResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    linkWeights: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkWeightsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    measureTrainingOverlap: {
        parameters: {
            query?: {
                /** @description `datasets/{dataset}/paths/{path}`, whose present listing is looked at, or `…/snapshots/{sha256}`; at most 500. */
                data?: string[];
            };
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrainingOverlap"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    setAlias: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SetAliasRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelVersion"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listProductionEnvironments: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListProductionEnvironmentsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createProductionEnvironment: {
        parameters: {
            query?: {
                productionEnvironmentId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProductionEnvironment"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductionEnvironment"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getProductionEnvironment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                productionEnvironment: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductionEnvironment"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    deleteProductionEnvironment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                productionEnvironment: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listQuestionBanks: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Only banks of this production environment. */
                productionEnvironment?: string;
                showArchived?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListQuestionBanksResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createQuestionBank: {
        parameters: {
            query?: {
                questionBankId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["QuestionBank"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuestionBank"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getQuestionBank: {
        parameters: {
            query?: never;
            header?: {
                /** @description An `ETag` of before; 304 if it is the present one. */
                "If-None-Match"?: string;
            };
            path: {
                questionBank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuestionBank"];
                };
            };
            /** @description What `If-None-Match` names is still the present state. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    updateQuestionBank: {
        parameters: {
            query?: {
                /** @description Of display_name, description, run_after_training, run_after_release and compute_resource; empty: all of them. */
                updateMask?: string;
                /** @description Of the bank as it was seen; ABORTED if somebody changed it since. Empty: whatever it is. */
                etag?: string;
            };
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                questionBank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["QuestionBank"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuestionBank"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listQuestionBankRevisions: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                questionBank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListQuestionBankRevisionsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createQuestionBankRevision: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                questionBank: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateQuestionBankRevisionRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuestionBank"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getQuestionBankRevision: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                questionBank: string;
                revision: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuestionBankRevision"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    archiveQuestionBank: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                questionBank: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ArchiveQuestionBankRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuestionBank"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getLeaderboard: {
        parameters: {
            query?: {
                /** @description 0: the current one. Reports over different revisions are never compared. */
                revision?: number;
            };
            header?: never;
            path: {
                questionBank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Leaderboard"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getQueue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listRelabelMarks: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                dataPath?: string;
                state?: components["schemas"]["RelabelState"];
                /** @description Marks that were made in this report. */
                report?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListRelabelMarksResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createRelabelMark: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateRelabelMarkRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RelabelMark"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getRelabelMark: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                relabelMark: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RelabelMark"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    deleteRelabelMark: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                relabelMark: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    applyRelabelMarks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ApplyRelabelMarksRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApplyRelabelMarksResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    exportRelabelMarks: {
        parameters: {
            query?: {
                dataPath?: string;
                state?: components["schemas"]["RelabelState"];
                report?: string;
                format?: components["schemas"]["RelabelFormat"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": unknown;
                    "application/jsonl": unknown;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listReports: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                modelVersion?: string;
                task?: string;
                kind?: components["schemas"]["ReportKind"];
                /**
                 * @description `reports/{report}`: only other ones that have a data path, and a code of the classifiers, in common with it.
                 *     CompareReports tells which samples of those are the same.
                 */
                comparableWith?: string;
                /**
                 * @description Only official reports (模型评估报告): of each version the newest prediction over data of which no sample and no group was
                 *     trained with (P2, P7). A version has one or none.
                 */
                official?: boolean;
                /** @description `questionBanks/{bank}` for predictions over any revision of it, or one revision. */
                questionBank?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListReportsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getReport: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listSampleResults: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Of samples that truly have this code. */
                trueCode?: string;
                predictedCode?: string;
                verdict?: components["schemas"]["Verdict"];
                decidedBy?: components["schemas"]["DecidedBy"];
                /** @description Only samples whose confidence is below the report's threshold: those that would go to a human. */
                belowThreshold?: boolean;
                /** @description `confidence`, `confidence desc` or `file`; nonconforming samples have confidence 0. */
                orderBy?: string;
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSampleResultsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getSampleResult: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                report: string;
                sampleResult: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SampleResult"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    redirectToSamplePicture: {
        parameters: {
            query?: {
                picture?: components["schemas"]["SamplePicture"];
            };
            header?: never;
            path: {
                report: string;
                sampleResult: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes, at a link that is good for a few minutes. */
            302: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    linkSamplePicture: {
        parameters: {
            query?: {
                picture?: components["schemas"]["SamplePicture"];
            };
            header?: never;
            path: {
                report: string;
                sampleResult: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkSamplePictureResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    downloadSampleResults: {
        parameters: {
            query?: {
                trueCode?: string;
                predictedCode?: string;
                verdict?: components["schemas"]["Verdict"];
                decidedBy?: components["schemas"]["DecidedBy"];
                belowThreshold?: boolean;
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": unknown;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listSuspectedLabels: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description Of samples that are labelled with this code. */
                trueCode?: string;
                suspicion?: components["schemas"]["Suspicion"];
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListSuspectedLabelsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    compareReports: {
        parameters: {
            query?: {
                candidate?: string;
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Comparison"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    exportReport: {
        parameters: {
            query?: {
                format?: components["schemas"]["ReportFormat"];
                /** @description Which language an HTML page opens in, `en` or `zh`; it holds both. Default `en`. */
                language?: string;
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                    "text/csv": unknown;
                    "text/html": unknown;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listComparedSamples: {
        parameters: {
            query?: {
                candidate?: string;
                pageSize?: number;
                pageToken?: string;
                /** @description Of samples that truly have this code. */
                trueCode?: string;
                change?: components["schemas"]["Change"];
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListComparedSamplesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getThresholdCurves: {
        parameters: {
            query?: {
                /** @description In [0, 1], at most 101; default 0, 0.01 … 0.99, and 0.999. */
                thresholds?: number[];
            };
            header?: never;
            path: {
                report: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ThresholdCurves"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getServer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                server: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Server"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    checkStorage: {
        parameters: {
            query?: {
                /** @description Read every object and compare its hash, not only whether it is there in its size. */
                read?: boolean;
            };
            header?: never;
            path: {
                server: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events `CheckStorageResponse` whose data is that message as JSON. `end` says that nothing more comes; `problem` holds the problem that ended the stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    logIn: {
        parameters: {
            query?: never;
            header: {
                /** @description Requests that change something with it carry the header `X-Loupe-Client`, whatever its value: pages of other sites cannot set it. */
                "X-Loupe-Client": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["LogInRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogInResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    logOut: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ChangePasswordRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getSigningKeys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SigningKeys"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listStorageQuotas: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListStorageQuotasResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    setStorageQuota: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SetStorageQuotaRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StorageQuota"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listTasks: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                states?: components["schemas"]["TaskState"][];
                /** @description Keeps tasks whose model name contains this, whatever the case. */
                modelNameContains?: string;
                creator?: string;
                productionEnvironment?: string;
                kind?: components["schemas"]["TaskKind"];
                /** @description Keeps predictions with this version, and its exports; with `tasks/{task}` the predictions with that training. */
                modelVersion?: string;
                /**
                 * @description Keeps trainings that wait or run with a data path of this question bank's current revision, or of the named one:
                 *     their versions will be among the bank's `trained_versions` (P7).
                 */
                trainingWithBank?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListTasksResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `requestId`: the same key gives the same result. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateTaskRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description An `ETag` of before; 304 if it is the present one. */
                "If-None-Match"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description What `If-None-Match` names is still the present state. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    deleteTask: {
        parameters: {
            query?: {
                etag?: string;
            };
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    redirectToContactSheet: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes, at a link that is good for a few minutes. */
            302: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    downloadLog: {
        parameters: {
            query?: {
                network?: components["schemas"]["Network"];
                /** @description Number of the next line wanted, from 0. */
                cursor?: string;
                /** @description Goes on until the task ends. */
                follow?: boolean;
                /** @description 0: the present one. */
                attempt?: number;
            };
            header?: {
                /** @description The id of the last event received; wins over `cursor`. */
                "Last-Event-ID"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The log as a text file, one line each. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    readLog: {
        parameters: {
            query?: {
                network?: components["schemas"]["Network"];
                /** @description Number of the next line wanted, from 0. */
                cursor?: string;
                /** @description Goes on until the task ends. */
                follow?: boolean;
                /** @description 0: the present one. */
                attempt?: number;
            };
            header?: {
                /** @description The id of the last event received; wins over `cursor`. */
                "Last-Event-ID"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events `ReadLogResponse` whose data is that message as JSON. `id` is its cursor. `end` says that nothing more comes; `problem` holds the problem that ended the stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    watchLoss: {
        parameters: {
            query?: {
                network?: components["schemas"]["Network"];
                /**
                 * @description `{attempt}:{iteration}` of the next point wanted, or the cursor of an answer; empty: from the present attempt's
                 *     first.
                 */
                cursor?: string;
            };
            header?: {
                /** @description The id of the last event received; wins over `cursor`. */
                "Last-Event-ID"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events `WatchLossResponse` whose data is that message as JSON. `id` is its cursor. `end` says that nothing more comes; `problem` holds the problem that ended the stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    getLossCurve: {
        parameters: {
            query?: {
                network?: components["schemas"]["Network"];
                /** @description At most this many points; 0: every one. From 4. */
                maxPoints?: number;
                /** @description Inclusive. */
                firstIteration?: string;
                /** @description Exclusive; 0: to the end. */
                endIteration?: string;
                /** @description 0: the present one. */
                attempt?: number;
            };
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LossCurve"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listNonconformingSamples: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
                /** @description 0: the present one. */
                attempt?: number;
            };
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListNonconformingSamplesResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    downloadNonconformingSamples: {
        parameters: {
            query?: {
                /** @description 0: the present one. */
                attempt?: number;
            };
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bytes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": unknown;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listTaskTransitions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListTaskTransitionsResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    linkContactSheet: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkContactSheetResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    releaseTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReleaseTaskRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    startTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["StartTaskRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    terminateTask: {
        parameters: {
            query?: never;
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["TerminateTaskRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    watchTask: {
        parameters: {
            query?: {
                /** @description Revision after which to begin; 0: the present one first. */
                cursor?: string;
                /** @description Goes on after COMPLETED, FAILED and TERMINATED. */
                follow?: boolean;
            };
            header?: {
                /** @description The id of the last event received; wins over `cursor`. */
                "Last-Event-ID"?: string;
            };
            path: {
                task: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events `WatchTaskResponse` whose data is that message as JSON. `id` is its cursor. `end` says that nothing more comes; `problem` holds the problem that ended the stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    validateTask: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ValidateTaskRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValidateTaskResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listUsers: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListUsersResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createUser: {
        parameters: {
            query?: {
                userId?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["User"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    updateUser: {
        parameters: {
            query?: {
                /** @description Empty: all three. */
                updateMask?: string;
                /** @description Of the user as it was seen; ABORTED if somebody changed it since. Empty: whatever it is. */
                etag?: string;
            };
            header?: {
                /** @description The field `etag`: acts only on the state that was seen. */
                "If-Match"?: string;
            };
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["User"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            412: components["responses"]["Problem412"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listTokens: {
        parameters: {
            query?: {
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListTokensResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    createToken: {
        parameters: {
            query?: {
                /**
                 * @description Chosen by the caller, at most 64 characters: the same again makes no second token. It gives the same one a new
                 *     secret, because the first was shown once and may be lost; what was made before is good for nothing then.
                 */
                requestId?: string;
            };
            header?: {
                /** @description The field `requestId`: the same key gives the same result. */
                "Idempotency-Key"?: string;
            };
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Token"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Token"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    revokeToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user: string;
                token: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RevokeTokenRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Token"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResetPasswordRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResetPasswordResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    whoAmI: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Principal"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    listWorkers: {
        parameters: {
            query?: {
                /** @description At most 1000; 0: 50. */
                pageSize?: number;
                pageToken?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListWorkersResponse"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            409: components["responses"]["Problem409"];
            414: components["responses"]["Problem414"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    drainWorker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                worker: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DrainWorkerRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Worker"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
    undrainWorker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                worker: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["UndrainWorkerRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Worker"];
                };
            };
            400: components["responses"]["Problem400"];
            401: components["responses"]["Problem401"];
            403: components["responses"]["Problem403"];
            404: components["responses"]["Problem404"];
            408: components["responses"]["Problem408"];
            409: components["responses"]["Problem409"];
            413: components["responses"]["Problem413"];
            414: components["responses"]["Problem414"];
            415: components["responses"]["Problem415"];
            429: components["responses"]["Problem429"];
            431: components["responses"]["Problem431"];
            500: components["responses"]["Problem500"];
            501: components["responses"]["Problem501"];
            503: components["responses"]["Problem503"];
            504: components["responses"]["Problem504"];
            default: components["responses"]["Problem"];
        };
    };
}
