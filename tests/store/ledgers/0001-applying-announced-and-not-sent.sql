-- A ledger of schema 0001 as kubemend f0be8a3 left it when it died: applying, announced and not sent.
-- The Deployment as it was in the cluster at that moment:
-- {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "shop", "uid": "6cb75d71-5be5-4495-99bd-5c77e5bc4c3d", "creationTimestamp": "2026-11-21T11:42:41Z", "annotations": {"deployment.kubernetes.io/revision": "1"}, "generation": 1, "resourceVersion": "56"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "registry.lab/web:1.0", "env": [{"name": "MODE", "value": "fast"}], "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent"}], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler"}}, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}, "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True", "lastUpdateTime": "2026-11-21T11:42:42Z", "lastTransitionTime": "2026-11-21T11:42:42Z", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."}, {"type": "Progressing", "status": "True", "lastUpdateTime": "2026-11-21T11:42:42Z", "lastTransitionTime": "2026-11-21T11:42:41Z", "reason": "NewReplicaSetAvailable", "message": "ReplicaSet \"web-99m7rpgd9c\" has successfully progressed."}]}}
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE approvals (
	id INTEGER NOT NULL, 
	repair VARCHAR(16) NOT NULL, 
	plan_hash VARCHAR(64) NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	given_at FLOAT NOT NULL, 
	expires_at FLOAT NOT NULL, 
	used_at FLOAT, 
	PRIMARY KEY (id)
);
CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	cluster VARCHAR(253) NOT NULL, 
	repair VARCHAR(16) NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	detail TEXT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "audit" VALUES(1,1.79526137147183585162e+09,'practice','rbd6e6d46','ann','proposed','{"code":"KM103","hash":"889b704f315ab82975f627d7885e812ac59eef1ce8be285e440eda3cf46b4ccd","strategy":"earlier","target":"Deployment shop/web"}','2cc9f3ba68eb2a61d67ce3d25f19266d4413b5e5285b8a1b3dbd5689a4a6d76e');
INSERT INTO "audit" VALUES(2,1.79526137176813364026e+09,'practice','rbd6e6d46','ann','transition','{"from":"proposed","to":"preflight","why":"checks begin"}','5cb729514bff0a9b84a32579bf642ea8b136cc6895041f987c0fd309d1d8c32a');
INSERT INTO "audit" VALUES(3,1.79526137182634186744e+09,'practice','rbd6e6d46','kubemend','transition','{"from":"preflight","to":"snapshotted","why":"all checks passed; prior objects stored"}','0bf2f7db56f1cf46d82853edebbfd87146c2479df6232cc882e82aa21e01af33');
INSERT INTO "audit" VALUES(4,1.79526137183307647705e+09,'practice','rbd6e6d46','kubemend','transition','{"from":"snapshotted","to":"applying","why":"1 change(s)"}','7db645e9d313aa93a9de2bdb7fbd1aebf4da82ab5d5bd9ae184bcd1d7ed890e2');
INSERT INTO "audit" VALUES(5,1.79526137183831882475e+09,'practice','rbd6e6d46','ann','intent','{"change":{"body":{"spec":{"template":{"spec":{"containers":[{"image":"registry.lab/web:1.1","name":"app"}]}}}},"kind":"strategic","op":"patch","target":{"group":"apps","kind":"Deployment","name":"web","namespace":"shop"},"uid":"6cb75d71-5be5-4495-99bd-5c77e5bc4c3d"},"resourceVersion":"56","uid":"6cb75d71-5be5-4495-99bd-5c77e5bc4c3d","what":"apply"}','ae333b20d0c3956a926549e332db9470bd762823d9fdb1876396ef11f29da085');
CREATE TABLE holds (
	cluster VARCHAR(253) NOT NULL, 
	object VARCHAR(600) NOT NULL, 
	repair VARCHAR(16) NOT NULL, 
	PRIMARY KEY (cluster, object)
);
INSERT INTO "holds" VALUES('practice','Deployment shop/web','rbd6e6d46');
CREATE TABLE incidents (
	id VARCHAR(16) NOT NULL, 
	cluster VARCHAR(253) NOT NULL, 
	fingerprint VARCHAR(12) NOT NULL, 
	code VARCHAR(8) NOT NULL, 
	title TEXT NOT NULL, 
	subject VARCHAR(600) NOT NULL, 
	namespace VARCHAR(253) NOT NULL, 
	phase VARCHAR(12) NOT NULL, 
	message TEXT NOT NULL, 
	opened_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	resolved_at FLOAT, 
	reopened INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE repairs (
	id VARCHAR(16) NOT NULL, 
	cluster VARCHAR(253) NOT NULL, 
	namespace VARCHAR(253) NOT NULL, 
	target VARCHAR(600) NOT NULL, 
	fingerprint VARCHAR(12) NOT NULL, 
	incident VARCHAR(16) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	"plan" TEXT NOT NULL, 
	plan_hash VARCHAR(64) NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	why TEXT NOT NULL, 
	steps TEXT NOT NULL, 
	baseline TEXT NOT NULL, 
	undo BOOLEAN NOT NULL, 
	holder VARCHAR(300) NOT NULL, 
	heartbeat FLOAT NOT NULL, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	started_at FLOAT, 
	PRIMARY KEY (id)
);
INSERT INTO "repairs" VALUES('rbd6e6d46','practice','shop','Deployment shop/web','aaaaaaaaaaaa','i1','applying','{"strategy":"earlier","code":"KM103","fingerprint":"aaaaaaaaaaaa","target":{"kind":"Deployment","namespace":"shop","name":"web","group":"apps"},"changes":[{"op":"patch","target":{"kind":"Deployment","namespace":"shop","name":"web","group":"apps"},"uid":"6cb75d71-5be5-4495-99bd-5c77e5bc4c3d","body":{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.lab/web:1.1"}]}}}},"kind":"strategic"}],"reason":"an earlier program''s plan","risk":1,"confidence":0.9,"verify":{"healthy":[{"kind":"Deployment","namespace":"shop","name":"web","group":"apps"}],"within_s":6,"steady_s":0.3,"gone":false},"requires":[]}','889b704f315ab82975f627d7885e812ac59eef1ce8be285e440eda3cf46b4ccd','ann','1 change(s)','[{"before":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"shop","uid":"6cb75d71-5be5-4495-99bd-5c77e5bc4c3d","creationTimestamp":"2026-11-21T11:42:41Z","annotations":{"deployment.kubernetes.io/revision":"1"},"generation":1,"resourceVersion":"56"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"registry.lab/web:1.0","env":[{"name":"MODE","value":"fast"}],"resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[{"type":"Available","status":"True","lastUpdateTime":"2026-11-21T11:42:42Z","lastTransitionTime":"2026-11-21T11:42:42Z","reason":"MinimumReplicasAvailable","message":"Deployment has minimum availability."},{"type":"Progressing","status":"True","lastUpdateTime":"2026-11-21T11:42:42Z","lastTransitionTime":"2026-11-21T11:42:41Z","reason":"NewReplicaSetAvailable","message":"ReplicaSet \"web-99m7rpgd9c\" has successfully progressed."}]}},"after":null,"undone":false}]','{"faults":[],"pods":["5f9311f8-9f18-4731-ac30-5d363a246802"]}',0,'vm:8761:3c1028b4',1.79526137183831882475e+09,1.79526137147183585162e+09,1.79526137183307647705e+09,1.7952613717572441101e+09);
CREATE TABLE switches (
	name VARCHAR(60) NOT NULL, 
	"on" BOOLEAN NOT NULL, 
	actor VARCHAR(253) NOT NULL, 
	why TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE INDEX repairs_by_state ON repairs (cluster, state);
CREATE INDEX repairs_by_start ON repairs (cluster, started_at);
CREATE INDEX repairs_by_fault ON repairs (cluster, fingerprint);
CREATE INDEX repairs_by_target ON repairs (cluster, target);
CREATE INDEX repairs_by_plan ON repairs (cluster, plan_hash);
CREATE INDEX ix_approvals_repair ON approvals (repair);
CREATE UNIQUE INDEX incidents_by_fingerprint ON incidents (cluster, fingerprint);
CREATE INDEX ix_audit_repair ON audit (repair);
