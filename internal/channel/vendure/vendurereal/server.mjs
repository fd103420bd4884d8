// A real Vendure for tests (see vendurereal.go): one process, one SQLite file, loopback only.
//
// Settings come as one JSON object in argv[2]: {"port", "username", "password", "listLimit"}; the database and all files are in the
// working directory. When the APIs answer, one line {"port":N} goes to standard output. The server ends when its standard
// input does, so that it never outlives the test that started it.
import path from 'node:path';
import {
    bootstrap, DefaultLogger, dummyPaymentHandler, LanguageCode, LogLevel, Populator,
} from '@vendure/core';

const settings = JSON.parse(process.argv[2]);

const app = await bootstrap({
    apiOptions: { hostname: '127.0.0.1', port: settings.port, adminApiPath: 'admin-api', shopApiPath: 'shop-api', adminListQueryLimit: settings.listLimit },
    authOptions: {
        tokenMethod: ['bearer', 'api-key'],
        superadminCredentials: { identifier: settings.username, password: settings.password },
        requireVerification: false,
    },
    dbConnectionOptions: { type: 'better-sqlite3', database: path.resolve('vendure.sqlite'), synchronize: true },
    paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
    catalogOptions: {
        // The shop tells the figure itself and not just IN_STOCK.
        stockDisplayStrategy: { getStockLevel: (ctx, variant, saleable) => String(saleable) },
    },
    logger: new DefaultLogger({ level: LogLevel.Warn, timestamp: false }),
    importExportOptions: { importAssetsDir: process.cwd() },
    plugins: [],
});

await app.get(Populator).populateInitialData({
    defaultLanguage: LanguageCode.en,
    defaultZone: 'Europe',
    countries: [{ name: 'Austria', code: 'AT', zone: 'Europe' }],
    taxRates: [{ name: 'Standard Tax', percentage: 20 }],
    shippingMethods: [{ name: 'Standard Shipping', price: 500 }],
    paymentMethods: [{ name: 'Standard Payment', handler: { code: dummyPaymentHandler.code, arguments: [{ name: 'automaticSettle', value: 'true' }] } }],
    collections: [],
    roles: [],
});

process.stdin.resume().on('end', () => app.close().finally(() => process.exit(0)));
process.stdout.write(JSON.stringify({ port: app.getHttpServer().address().port }) + '\n');
